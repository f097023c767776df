"""Parity: does an exported file say what our own prediction says?"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from fewmask.data.images import resize_image
from fewmask.evaluation.inference import network_input

TOLERANCE = 1e-3
"""Largest difference of logits, as a share of the largest logit (at least 1)."""

LONGEST_SIDE = 1024
"""Pixels to which a large image is cut: parity does not depend on more."""

Run = Callable[[np.ndarray], np.ndarray]
"""From images, uint8 [B, H, W, C], to logits, float32 [B, K, H, W]."""


class Parity(NamedTuple):
    """How the logits of a file differ from those of the network, on images of one size."""

    shape: tuple[int, ...]  # [B, H, W, C] of the images
    difference: float  # the largest, over all logits
    tolerance: float  # for the largest difference
    equal: float  # share of pixels with the same label
    surprising: int  # pixels with another label whose two largest logits are not close

    @property
    def holds(self) -> bool:
        """Whether labels differ only where a call is close, and logits within the tolerance."""
        return self.difference <= self.tolerance and self.surprising == 0

    def __str__(self) -> str:
        count, height, width, _ = self.shape
        return (
            f"{count} x {height} x {width}: largest difference of logits {self.difference:.1e}, "
            f"equal pixels {100 * self.equal:.4g} %"
        )


def compare(network: nn.Module, run: Run, images: np.ndarray) -> Parity:
    """Compares a file with the network it was made from.

    Args:
        network: in eval mode, on the CPU.
        run: the file.
        images: uint8 [B, H, W, C].
    """
    with torch.no_grad():
        expected = network(network_input(network, images, "cpu")).upsampled_logits.numpy()
    found = run(images)
    difference = float(np.abs(found - expected).max())
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    differs = found.argmax(axis=1) != expected.argmax(axis=1)  # [B, H, W]
    second, first = np.sort(expected, axis=1)[:, -2:].swapaxes(0, 1)
    surprising = differs & (first - second > 2 * tolerance)
    # NaN compares as False everywhere; a difference of NaN is not within any tolerance.
    return Parity(
        images.shape, difference, tolerance, 1 - float(differs.mean()), int(surprising.sum())
    )


def at_own_size(image: np.ndarray) -> np.ndarray:
    """One image [H, W, C] as a batch [1, H, W, C]; a very large one is cut."""
    return np.ascontiguousarray(image[None, :LONGEST_SIDE, :LONGEST_SIDE])


def at_other_sizes(images: np.ndarray) -> Sequence[np.ndarray]:
    """The image of a batch [1, H, W, C] smaller, and twice at a larger, narrower size."""
    image = images[0]
    height, width = image.shape[:2]
    smaller = resize_image(image, (max(2, width * 2 // 3), max(2, height * 2 // 3)))
    larger = resize_image(image, (max(2, width * 3 // 4 - 1), height * 5 // 4 + 3))
    return [smaller[None], np.stack([larger, larger[:, ::-1]])]
