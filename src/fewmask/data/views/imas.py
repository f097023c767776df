"""The strong view of iMAS: two of twelve color operations.

Each operation takes an image uint8 [H, W, 3] and a magnitude u in [-1, 1], of which all but `hue`
use the absolute value. The results agree with Pillow's, which the released code uses.

Source: Zhao et al., Instance-specific and Model-adaptive Supervision, CVPR 2023.
"""

from collections.abc import Callable

import cv2
import numpy as np

from fewmask.data.views import colors

cv2.setNumThreads(0)  # the loader's workers are the parallelism

Operation = Callable[[np.ndarray, float], np.ndarray]
MAGNITUDE = 0.999  # the released code multiplies every magnitude by this constant


def imas_strong_view(image: np.ndarray, rng: np.random.Generator, amount: int = 2) -> np.ndarray:
    """Operations drawn with replacement, each with a magnitude U ~ U(0, 1).

    Source: Zhao et al., iMAS, CVPR 2023, and its released settings (`num_augs` = 2).

    Args:
        image: uint8 [H, W, 3]. It is not changed.
        rng: the source of randomness.
        amount: how many.
    """
    for operation in rng.choice(len(OPERATIONS), size=amount):
        image = OPERATIONS[operation](image, rng.uniform() * rng.choice((-1, 1)))
    return image


def identity(image: np.ndarray, u: float) -> np.ndarray:
    """Leaves the image as it is."""
    return image


def autocontrast(image: np.ndarray, u: float) -> np.ndarray:
    """Stretches each channel to 0..255."""
    ends = np.array([cv2.minMaxLoc(channel)[:2] for channel in cv2.split(image)])  # [3, 2]
    low, high = ends.T
    gain = 255 / np.maximum(high - low, 1)
    table = (np.arange(256)[:, None] - low) * gain
    flat = high <= low  # a channel of one value has nothing to stretch
    table[:, flat] = np.arange(256)[:, None]
    return _per_channel(image, np.clip(table, 0, 255).astype(np.uint8))


def equalize(image: np.ndarray, u: float) -> np.ndarray:
    """Flattens each channel's histogram, with Pillow's rounding."""
    tables = []
    for channel in range(3):
        counts = cv2.calcHist([image], [channel], None, [256], [0, 256])
        histogram = counts.ravel().astype(np.int64)
        filled = histogram[histogram > 0]
        step = (filled.sum() - filled[-1]) // 255
        below = np.concatenate([[0], np.cumsum(histogram)[:-1]])
        table = np.arange(256) if step == 0 else np.minimum((step // 2 + below) // step, 255)
        tables.append(table)
    return _per_channel(image, np.stack(tables, axis=1).astype(np.uint8))


def invert(image: np.ndarray, u: float) -> np.ndarray:
    """Turns every value into 255 - value."""
    return 255 - image


def blur(image: np.ndarray, u: float) -> np.ndarray:
    """Gaussian blur, see `blur_radius`."""
    return colors.gaussian_blur(image, blur_radius(abs(u)))


def contrast(image: np.ndarray, u: float) -> np.ndarray:
    """Blends with the mean gray, see `enhance_factor`."""
    return colors.scale_contrast(image, enhance_factor(abs(u)))


def brightness(image: np.ndarray, u: float) -> np.ndarray:
    """Blends with black, see `enhance_factor`."""
    return colors.scale_brightness(image, enhance_factor(abs(u)))


def saturation(image: np.ndarray, u: float) -> np.ndarray:
    """Blends with the gray image, see `enhance_factor`."""
    return colors.scale_saturation(image, enhance_factor(abs(u)))


def sharpness(image: np.ndarray, u: float) -> np.ndarray:
    """Blends with a smoothed image, see `enhance_factor`."""
    return colors.sharpen(image, enhance_factor(abs(u)))


def posterize(image: np.ndarray, u: float) -> np.ndarray:
    """Keeps the upper bits of each channel, see `posterize_bits`."""
    return image & np.uint8(0xFF << (8 - posterize_bits(abs(u))) & 0xFF)


def solarize(image: np.ndarray, u: float) -> np.ndarray:
    """Inverts the values from a threshold on, see `solarize_threshold`."""
    values = np.arange(256)
    table = np.where(values < solarize_threshold(abs(u)), values, 255 - values).astype(np.uint8)
    return cv2.LUT(image, table)


def hue(image: np.ndarray, u: float) -> np.ndarray:
    """Shifts the hue, see `hue_shift`. Here the sign of u counts."""
    return colors.shift_hue(image, hue_shift(u))


OPERATIONS: tuple[Operation, ...] = (
    identity,
    autocontrast,
    equalize,
    invert,
    blur,
    contrast,
    brightness,
    saturation,
    sharpness,
    posterize,
    solarize,
    hue,
)


def enhance_factor(u: float) -> float:
    """Factor of contrast, brightness, saturation, sharpness: from 0.95 (u=0) down to 0.1 (u=1)."""
    return 0.95 - 0.85 * MAGNITUDE * u


def blur_radius(u: float) -> float:
    """Standard deviation of the blur in pixels: 0.1 to 2."""
    return 0.1 + 1.9 * MAGNITUDE * u


def posterize_bits(u: float) -> int:
    """Bits kept of each channel: 7 to 4."""
    return 8 - max(1, int(np.ceil(4 * MAGNITUDE * u)))


def solarize_threshold(u: float) -> int:
    """The value from which on values are inverted: 256 (none) to 1."""
    return int(np.clip(256 - np.ceil(255 * MAGNITUDE * u), 1, 256))


def hue_shift(u: float) -> int:
    """Shift on a hue circle of 256 steps, for u in [-1, 1]: up to half a turn either way."""
    return int(255 * 0.5 * MAGNITUDE * u)


def _per_channel(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Looks values up in one [256, 3] table per channel."""
    return cv2.LUT(image, table[None])
