"""Versions and devices."""

import platform
from importlib import metadata

import torch

from fewmask import version
from fewmask.engine.launch import choose_precision


def environment() -> dict[str, str]:
    """Versions and devices, for bug reports and for repeating a run."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "fewmask": version.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "timm": metadata.version("timm"),
        "cuda device": cuda,
        "cpu threads": str(torch.get_num_threads()),
        "precision auto": choose_precision("auto", "cuda" if torch.cuda.is_available() else "cpu"),
    }
