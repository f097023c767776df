"""The strong view of AugSeg: one to three of eleven color operations, each of random strength."""

from functools import partial

import numpy as np

from fewmask.data.views import colors, imas


def augseg_strong_view(image: np.ndarray, rng: np.random.Generator, amount: int = 3) -> np.ndarray:
    """Operations drawn with replacement, 1 to `amount` of them, each with a magnitude U ~ U(0, 1).

    They are those of iMAS without inversion, in the same ranges to 0.1 %, but for factors from
    0.05 to 0.95 of contrast, brightness, saturation and sharpness.

    Source: Zhao et al., AugSeg, CVPR 2023, and its released settings.

    Args:
        image: uint8 [H, W, 3]. It is not changed.
        rng: the source of randomness.
        amount: how many at most.
    """
    for operation in rng.choice(len(OPERATIONS), size=rng.integers(1, amount + 1)):
        image = OPERATIONS[operation](image, rng.uniform() * rng.choice((-1, 1)))
    return image


def enhanced(change: colors.Change, image: np.ndarray, u: float) -> np.ndarray:
    """Changes an image by a factor from 0.95 (u = 0) down to 0.05 (u = 1, or -1)."""
    return change(image, 0.95 - 0.9 * abs(u))


OPERATIONS: tuple[imas.Operation, ...] = (
    imas.identity,
    imas.autocontrast,
    imas.equalize,
    imas.blur,
    partial(enhanced, colors.scale_contrast),
    partial(enhanced, colors.scale_brightness),
    partial(enhanced, colors.scale_saturation),
    partial(enhanced, colors.sharpen),
    imas.posterize,
    imas.solarize,
    imas.hue,
)
