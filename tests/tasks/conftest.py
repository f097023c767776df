"""A run and its ONNX file, shared by the tests of exports and engines."""

import pytest

import fewmask
from fewmask.runs.run import Run
from fewmask.tasks.export import export
from tests.conftest import TINY_WORDS


@pytest.fixture(scope="session")
def export_folder(tmp_path_factory):
    # Enough steps to find more than one class.
    words = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=40", "training.lr=0.02")
    words += ("data.long_side=60",)
    return fewmask.train(*words, out=tmp_path_factory.mktemp("export") / "run").folder


@pytest.fixture(scope="session")
def exported(export_folder):
    """The run with its ONNX file, which takes seconds to write."""
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    said = []
    return export(Run.open(export_folder), tell=said.append), said


@pytest.fixture
def export_run(export_folder):
    return Run.open(export_folder)
