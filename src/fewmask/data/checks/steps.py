"""Findings about class numbers that were smoothed: a rim of class 1 wherever 0 meets 2.

A mask that was resized like a photo has means of two labels at its edges. These are labels, too,
but of a class that is not there.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fewmask.batch import IGNORE
from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.dataset import Dataset

SAMPLED_MASKS = 20
"""About this many masks are looked at, spread over all of them."""
FEWEST = 20
"""Fewer steps are an accident."""
USUAL = 0.3
"""Where two labels meet that are not neighbors in number, fewer have a step between them."""


def step_findings(images: Dataset) -> Iterator[Finding]:
    """A warning for masks that seem to be smoothed between the numbers of their classes."""
    steps = jumps = 0
    concerned = []
    for index in range(0, len(images), max(1, len(images) // SAMPLED_MASKS)):
        found = count_steps(images.mask(index))
        steps, jumps = steps + found[0], jumps + found[1]
        if found[0]:
            concerned.append(images.mask_file(index) or Path(images.names[index]))
    if steps >= FEWEST and steps > USUAL * (steps + jumps):
        yield Finding(
            "warning",
            f"{len(concerned)} masks have rims, one pixel wide, of the classes between two that "
            "meet. Were they resized or turned with smoothing?",
            "If they were, export them again with nearest neighbor.",
            names_of(concerned),
        )


def count_steps(mask: np.ndarray) -> tuple[int, int]:
    """How often two labels that differ by 2 or more meet over a step in between, and directly.

    Args:
        mask: labels uint8 [H, W].
    """
    steps = jumps = 0
    for labels in (mask.astype(np.int16), mask.T.astype(np.int16)):
        labels = np.where(labels == IGNORE, np.nan, labels)
        up = np.diff(labels, axis=1)  # [H, W-1]
        jumps += int((abs(up) >= 2).sum())
        steps += int((up[:, :-1] * up[:, 1:] > 0).sum())  # twice in one direction
    return steps, jumps
