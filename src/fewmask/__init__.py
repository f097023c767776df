"""Train segmentation models from a few labeled and many unlabeled images."""

import importlib
from typing import Any

from fewmask.version import __version__

__all__ = ["UserError", "__version__", "evaluate", "load", "predict", "resume", "train"]

_HOMES = {"UserError": "fewmask.errors", "predict": "fewmask.tasks.predict"}


def __getattr__(name: str) -> Any:
    """Imports the verbs when first used: torch takes a second, `fewmask --help` should not."""
    if name in __all__:
        return getattr(importlib.import_module(_HOMES.get(name, "fewmask.tasks.train")), name)
    raise AttributeError(f"module 'fewmask' has no attribute '{name}'")
