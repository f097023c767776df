"""Imports timm, also where torchvision's compiled part does not fit a CPU-only torch."""

import sys
from typing import Any

from torch import library

# torch forgets the operators of a library that nothing refers to any longer.
_torchvision_operators: Any = None


def import_timm() -> Any:
    """Imports timm, and declares the operators that a mismatched torchvision lacks.

    torchvision from the package index is built against CUDA torch. With a CPU torch, importing it
    (and timm imports it) fails with `operator torchvision::nms does not exist`. fewmask needs
    nothing compiled in torchvision, so in exactly that case the missing operators are declared
    without bodies, and the import is tried again. A matching pair never gets that far. See
    pytorch/vision issue 9077.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        _declare_torchvision_operators()
        import torchvision  # noqa: F401
    import timm

    return timm


def _declare_torchvision_operators() -> None:
    global _torchvision_operators
    # The failed import has left half of torchvision behind.
    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]
    _torchvision_operators = library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        _torchvision_operators.define(
            f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
