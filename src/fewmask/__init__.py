"""Train segmentation models from a few labeled and many unlabeled images."""

import importlib
from typing import Any

from fewmask.version import __version__

__all__ = [
    "Run",
    "UserError",
    "__version__",
    "evaluate",
    "export",
    "load",
    "predict",
    "resume",
    "train",
]

_HOMES = {"Run": "fewmask.runs.run", "UserError": "fewmask.errors"}


def __getattr__(name: str) -> Any:
    """Imports the functions when they are first used: torch takes a second to import."""
    if name in __all__:
        return getattr(importlib.import_module(_HOMES.get(name, "fewmask.api")), name)
    raise AttributeError(f"module 'fewmask' has no attribute '{name}'")
