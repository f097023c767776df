"""Train segmentation models from a few labeled and many unlabeled images."""

import importlib
from typing import Any

from fewmask.version import __version__

__all__ = ["__version__", "evaluate", "load", "predict", "resume", "train"]


def __getattr__(name: str) -> Any:
    """Imports the verbs when first used: torch takes a second, `fewmask --help` should not."""
    if name in __all__:
        module = importlib.import_module(
            "fewmask.prediction" if name == "predict" else "fewmask.api"
        )
        return getattr(module, name)
    raise AttributeError(f"module 'fewmask' has no attribute '{name}'")
