"""The strong view of the FixMatch and UniMatch family: color jitter, gray, blur."""

import numpy as np

from fewmask.data.views import colors

JITTER, GRAY, BLUR = 0.8, 0.2, 0.5
"""How probable each change is, independently of the others."""


def unimatch_strong_view(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Color jitter with probability 0.8, then gray with 0.2, then Gaussian blur with 0.5.

    The blur has a standard deviation of U(0.1, 2) pixels. Pillow, which the released code uses,
    approximates a Gaussian by box blurs; here it is a true one.

    Source: Yang et al., UniMatch, CVPR 2023, and its released code.

    Args:
        image: uint8 [H, W, 3]. It is not changed.
        rng: the source of randomness.
    """
    if rng.random() < JITTER:
        image = color_jitter(image, rng)
    if rng.random() < GRAY:
        image = colors.gray(image)
    if rng.random() < BLUR:
        image = colors.gaussian_blur(image, rng.uniform(0.1, 2))
    return image


def color_jitter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation x U(0.5, 1.5) and hue + U(-0.25, 0.25) of a turn.

    The order is random, and each result is clipped and rounded.

    Source: torchvision's ColorJitter(0.5, 0.5, 0.5, 0.25).

    Args:
        image: uint8 [H, W, 3]. It is not changed.
        rng: the source of randomness.
    """
    brightness, contrast, saturation = rng.uniform(0.5, 1.5, size=3)
    steps = int(255 * rng.uniform(-0.25, 0.25))  # truncated, as torchvision does
    for change in rng.permutation(4):
        if change == 0:
            image = colors.scale_brightness(image, brightness)
        elif change == 1:
            image = colors.scale_contrast(image, contrast)
        elif change == 2:
            image = colors.scale_saturation(image, saturation)
        else:
            image = colors.shift_hue(image, steps)
    return image
