"""timm can be imported, also beside a torchvision that does not fit torch."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fewmask


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


FAKE_TORCHVISION = """
import importlib.abc, importlib.machinery, sys
class Loader(importlib.abc.Loader):
    def create_module(self, spec): return None
    def exec_module(self, module):
        if {broken}:
            import torch
            try:
                torch.ops.torchvision.nms  # as torchvision does when it registers its fake kernels
            except AttributeError:
                raise RuntimeError("operator torchvision::nms does not exist")
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torchvision": return importlib.machinery.ModuleSpec(name, Loader())
sys.meta_path.insert(0, Finder())
sys.modules["timm"] = type(sys)("timm")
from fewmask.models.encoders.timm_import import import_timm
import_timm()
import torch
print(hasattr(torch.ops.torchvision, "nms"))
"""


@pytest.mark.parametrize("broken", [True, False])
def test_torchvision_is_helped_only_when_it_is_broken(broken):
    assert python(FAKE_TORCHVISION.format(broken=broken)).strip() == str(broken)


def test_timm_can_be_imported_in_this_environment():
    assert (
        python(
            "from fewmask.models.encoders.timm_import import import_timm\n"
            "print(import_timm().__name__)"
        )
        == "timm\n"
    )


def test_nothing_else_imports_timm():
    """Whoever imports timm first, by itself, meets a torchvision that does not fit torch."""
    source = Path(fewmask.__file__).parent
    found = [
        file.name
        for file in source.rglob("*.py")
        if re.search(r"^\s*(import|from) timm\b", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert found == ["timm_import.py"]
