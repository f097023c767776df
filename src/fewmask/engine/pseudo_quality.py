"""How good a method's pseudo-labels are: looked up on images whose masks it does not train on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fewmask.batch import IGNORE, to_device
from fewmask.data import BatchStream
from fewmask.methods import Method
from fewmask.parts import processes
from fewmask.parts.precision import exact_float
from fewmask.parts.pseudo_labels import PseudoLabel

BATCHES = 4
"""Looked at per evaluation; always the same."""
BINS = 15


class PseudoQuality(NamedTuple):
    """What the pseudo-labels of a method are worth at one moment."""

    used: float  # share of the labeled pixels of val crops that would be used, 0..1
    accuracy: float  # share of those that are right
    confidence: float  # mean confidence of those
    calibration_error: float  # their ECE, 0..1
    shares: np.ndarray  # [K], classes among the used pixels of unlabeled crops


@torch.no_grad()
def pseudo_quality(
    method: Method, stream: BatchStream, num_classes: int, device: torch.device
) -> PseudoQuality | None:
    """Compares pseudo-labels with masks the method does not train on.

    Args:
        method: its buffers are put back afterwards.
        stream: labeled batches of val images, and unlabeled ones; this process's share.
        num_classes: K.
        device: where the method is.

    Returns:
        The same on all processes; None for a method without pseudo-labels.
    """
    exact = exact_float(device)
    bins = torch.zeros(3, BINS, dtype=exact, device=device)
    classes = torch.zeros(num_classes, dtype=exact, device=device)
    pixels = torch.zeros((), dtype=exact, device=device)
    with _buffers_kept(method):
        for number in range(BATCHES):
            (image, mask), unlabeled = to_device(stream[number], device)
            assert unlabeled is not None
            on_val = method.pseudo_labels(image, mask != IGNORE)
            on_pool = method.pseudo_labels(unlabeled.weak, unlabeled.valid)
            if on_val is None or on_pool is None:
                return None
            bins += _calibration(on_val, mask)
            pixels += (mask != IGNORE).sum()
            used = on_pool.label[on_pool.label != IGNORE]
            classes += torch.bincount(used, minlength=num_classes)
    bins, classes, pixels = map(processes.total, (bins, classes, pixels))
    count, sure, right = bins.cpu().numpy()
    all_used = max(1.0, count.sum())
    return PseudoQuality(
        used=float(count.sum() / max(1.0, pixels.item())),
        accuracy=float(right.sum() / all_used),
        confidence=float(sure.sum() / all_used),
        calibration_error=float(np.abs(sure - right).sum() / all_used),
        shares=(classes / classes.sum().clamp(min=1)).cpu().numpy(),
    )


def _calibration(pseudo: PseudoLabel, mask: Tensor) -> Tensor:
    """Pixels, summed confidence and right pixels by confidence, [3, 15]."""
    used = (pseudo.label != IGNORE) & (mask != IGNORE)
    sure = pseudo.confidence[used].to(exact_float(mask.device))
    right = (pseudo.label == mask)[used].to(sure.dtype)
    place = (sure * BINS).long().clamp(max=BINS - 1)
    return torch.stack(
        [place.bincount(weight, minlength=BINS) for weight in (torch.ones_like(sure), sure, right)]
    )


@contextmanager
def _buffers_kept(method: Method) -> Iterator[None]:
    """Undoes what looking does to running statistics."""
    before = {name: buffer.clone() for name, buffer in method.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in method.named_buffers():
            buffer.copy_(before[name])
