"""Train segmentation models from a few labeled and many unlabeled images."""

from typing import Any

from fewmask.version import __version__

__all__ = ["__version__", "evaluate", "load", "predict", "resume", "train"]


def __getattr__(name: str) -> Any:
    """Imports the verbs when first used: torch takes a second, `fewmask --help` should not."""
    if name in __all__:
        from fewmask import api

        return getattr(api, name)
    raise AttributeError(f"module 'fewmask' has no attribute '{name}'")
