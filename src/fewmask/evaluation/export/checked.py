"""Writes a file only if it says what our own prediction says: with all sizes free, or with one."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
import torch
from torch import nn

from fewmask.errors import UserError
from fewmask.evaluation.export import onnx_file, torchscript_file
from fewmask.evaluation.export.card import Card
from fewmask.evaluation.export.onnx_file import OnnxFile
from fewmask.evaluation.export.parity import Parity, at_other_sizes, at_own_size, compare
from fewmask.evaluation.export.plain import PlainNetwork
from fewmask.evaluation.export.torchscript_file import TorchScriptFile

Kind = Literal["onnx", "torchscript"]
KINDS: dict[Kind, tuple[ModuleType, type[OnnxFile] | type[TorchScriptFile]]] = {
    "onnx": (onnx_file, OnnxFile),
    "torchscript": (torchscript_file, TorchScriptFile),
}
"""What writes a file, and what opens it."""


def write_checked(
    kind: Kind,
    network: nn.Module,
    card: Card,
    image: np.ndarray,
    file: Path,
    tell: Callable[[str], None] = print,
) -> list[Parity]:
    """Writes a network to a file, runs the file, and compares.

    Args:
        kind: of file.
        network: in eval mode, on the CPU.
        card: what the file is to say about itself.
        image: uint8 [H, W, C], to compare with.
        file: to write.
        tell: receives a note if the file is bound to one size.

    Returns:
        The comparison at each size.

    Raises:
        UserError: if no file says what our own prediction says.
    """
    plain, whole = PlainNetwork(network, card["in_channels"]), np.ascontiguousarray(image[None])
    try:
        return _attempt(kind, network, plain, card, at_own_size(image), file)
    except UserError:
        raise
    except Exception as error:  # torch's exporter and the runtimes raise dozens of kinds
        height, width = image.shape[:2]
        tell(
            f"This network cannot be written for images of any size ({_reason(error)}). The "
            f"file will take images of {height} x {width} pixels (height x width) alone."
        )
    try:
        bound = {**card, "size": [height, width]}
        return _attempt(kind, network, plain, bound, whole, file)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"This network cannot be written as {kind}: {_reason(error)}. Try another --format."
        ) from error


class _Differs(Exception):
    """The file runs, but says something else."""


def _attempt(
    kind: Kind, network: nn.Module, plain: PlainNetwork, card: Card, images: np.ndarray, file: Path
) -> list[Parity]:
    module, opened = KINDS[kind]
    module.write(plain, card, torch.from_numpy(np.concatenate([images, images])), file)
    run = opened(file)
    batches = [images] if card["size"] else [images, *at_other_sizes(images)]
    found = [compare(network, run, batch) for batch in batches]
    for parity in found:
        if not parity.holds:
            raise _Differs(
                f"the file differs from our own prediction, {parity}, tolerance "
                f"{parity.tolerance:.1e}"
            )
    return found


def _reason(error: BaseException) -> str:
    """The first line of the innermost cause: torch wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = re.sub(r"\x1b\[\d+m", "", str(error)).strip()  # colors of a terminal
    return (text.splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
