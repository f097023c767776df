"""How good a method's pseudo-labels are, measured on validation images, which nobody trains on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fewmask.batch import IGNORE, to_device
from fewmask.data import BatchStream
from fewmask.evaluation.examination import BINS
from fewmask.methods import Method
from fewmask.parts import processes
from fewmask.parts.precision import exact_float
from fewmask.parts.pseudo_labels import PseudoLabel

BATCHES = 4
"""Batches that each evaluation measures; always the same ones, so that its numbers compare."""


class PseudoQuality(NamedTuple):
    """How good the pseudo-labels of a method are at one moment."""

    used: float  # share of the labeled pixels of validation crops that get a pseudo-label, 0..1
    accuracy: float  # share of those whose pseudo-label is correct
    confidence: float  # mean confidence of those
    calibration_error: float  # their ECE, 0..1
    shares: np.ndarray  # [K], classes among the pseudo-labels of unlabeled crops


@torch.no_grad()
def pseudo_quality(
    method: Method, stream: BatchStream, num_classes: int, device: torch.device
) -> PseudoQuality | None:
    """Compares pseudo-labels with masks the method does not train on.

    Args:
        method: its buffers are restored afterwards.
        stream: batches of validation images and of unlabeled ones; this process's share.
        num_classes: K.
        device: where the method is.

    Returns:
        The same on all processes; None for a method without pseudo-labels.
    """
    tally = _Tally(num_classes, device)
    with _buffers_kept(method):
        for number in range(BATCHES):
            batch = to_device(stream[number], device, method.student.normalization)
            (image, mask), unlabeled, _ = batch
            assert unlabeled is not None
            on_val = method.pseudo_labels(image, mask != IGNORE)
            on_unlabeled = method.pseudo_labels(unlabeled.weak, unlabeled.valid)
            if on_val is None or on_unlabeled is None:
                return None
            tally.add(on_val, mask, on_unlabeled)
    return tally.quality()


class _Tally:
    """Counts pixels of this process; waits for the device only when asked for the result."""

    def __init__(self, num_classes: int, device: torch.device):
        exact = exact_float(device)
        self.bins = torch.zeros(3, BINS, dtype=exact, device=device)
        self.classes = torch.zeros(num_classes, dtype=exact, device=device)
        self.pixels = torch.zeros((), dtype=exact, device=device)

    def add(self, on_val: PseudoLabel, mask: Tensor, on_unlabeled: PseudoLabel) -> None:
        self.bins += _calibration(on_val, mask)
        self.pixels += (mask != IGNORE).sum()
        used = on_unlabeled.label[on_unlabeled.label != IGNORE]
        self.classes += torch.bincount(used, minlength=len(self.classes))

    def quality(self) -> PseudoQuality:
        """The result over all processes."""
        bins, classes, pixels = map(processes.total, (self.bins, self.classes, self.pixels))
        count, confidence, correct = bins.cpu().numpy()
        all_used = max(1.0, count.sum())
        return PseudoQuality(
            used=float(count.sum() / max(1.0, pixels.item())),
            accuracy=float(correct.sum() / all_used),
            confidence=float(confidence.sum() / all_used),
            calibration_error=float(np.abs(confidence - correct).sum() / all_used),
            shares=(classes / classes.sum().clamp(min=1)).cpu().numpy(),
        )


def _calibration(pseudo: PseudoLabel, mask: Tensor) -> Tensor:
    """Pixels, summed confidence and correct pixels, each by bin of confidence, [3, 15]."""
    used = (pseudo.label != IGNORE) & (mask != IGNORE)
    confidence = pseudo.confidence[used].to(exact_float(mask.device))
    correct = (pseudo.label == mask)[used].to(confidence.dtype)
    # A confidence of exactly 1 belongs into the last bin.
    place = (confidence * BINS).long().clamp(max=BINS - 1)
    weights = (torch.ones_like(confidence), confidence, correct)
    return torch.stack([place.bincount(weight, minlength=BINS) for weight in weights])


@contextmanager
def _buffers_kept(method: Method) -> Iterator[None]:
    """Restores the buffers of a method, such as running statistics, which a forward pass moves."""
    before = {name: buffer.clone() for name, buffer in method.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in method.named_buffers():
            buffer.copy_(before[name])
