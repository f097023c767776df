"""Views of an image: weak (scale, crop, flip), strong (colours); all uint8 and pixel-aligned."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from fewmask.batch import IGNORE, IMAGE_MEAN
from fewmask.data.dataset import resize_image, resize_mask

cv2.setNumThreads(0)  # the loader's workers are the parallelism

PADDING_COLOUR = np.array([round(255 * m) for m in IMAGE_MEAN], dtype=np.uint8)  # 0 when normalised


class Placement(NamedTuple):
    """Where a weak view looks: this box of the source, drawn at this size, perhaps mirrored."""

    top: int
    left: int
    bottom: int
    right: int
    height: int  # of the drawn box, at most the crop's
    width: int
    mirrored: bool


def draw_placement(
    rng: np.random.Generator,
    size: tuple[int, int],
    crop: int,
    scale_range: tuple[float, float],
) -> Placement:
    """Draws scale, position and flip: the papers' resize -> flip -> crop as one box of the source.

    Only the pixels that end up in the crop are ever computed.

    Args:
        rng: the source of randomness.
        size: height and width of the image.
        crop: side of the square view, in pixels.
        scale_range: the image is scaled by U(range) before the crop.
    """
    scale = rng.uniform(*scale_range)
    spans = []
    for length in size:
        scaled = max(1, round(length * scale))
        offset = int(rng.integers(0, max(scaled - crop, 0) + 1))
        drawn = min(scaled, crop)
        start = min(round(offset / scaled * length), length - 1)
        stop = min(max(round((offset + drawn) / scaled * length), start + 1), length)
        spans.append((start, stop, drawn))
    (top, bottom, height), (left, right, width) = spans
    return Placement(top, left, bottom, right, height, width, bool(rng.random() < 0.5))


def weak_image(image: np.ndarray, place: Placement, crop: int) -> np.ndarray:
    """The weak view: uint8 [crop, crop, 3]; padding (bottom, right) has the mean colour."""
    box = image[place.top : place.bottom, place.left : place.right]
    drawn = resize_image(box, (place.width, place.height))
    return _padded(drawn, place, np.broadcast_to(PADDING_COLOUR, (crop, crop, 3)))


def weak_mask(mask: np.ndarray, place: Placement, crop: int) -> np.ndarray:
    """The same view of a mask: uint8 [crop, crop]; padding is 255."""
    box = mask[place.top : place.bottom, place.left : place.right]
    drawn = resize_mask(box, (place.width, place.height))
    return _padded(drawn, place, np.broadcast_to(np.uint8(IGNORE), (crop, crop)))


def valid_pixels(place: Placement, crop: int) -> np.ndarray:
    """Which pixels of the view show the image: bool [crop, crop], False on padding."""
    valid = np.zeros((crop, crop), dtype=bool)
    valid[: place.height, : place.width] = True
    return valid


def _padded(drawn: np.ndarray, place: Placement, empty: np.ndarray) -> np.ndarray:
    if place.mirrored:
        drawn = drawn[:, ::-1]
    if drawn.shape == empty.shape:
        return np.ascontiguousarray(drawn)
    view = empty.copy()
    view[: place.height, : place.width] = drawn
    return view


# The strong view of iMAS: two operations of a pool of twelve.

Operation = Callable[[np.ndarray, float], np.ndarray]
MAGNITUDE = 0.999  # the released code's constant modifier of every magnitude


def imas_strong_view(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The strong view of iMAS: two operations drawn with replacement, each with U ~ U(0, 1).

    Source: Zhao et al., iMAS, CVPR 2023, and its released settings (`num_augs` = 2).

    Args:
        image: uint8 [H, W, 3]; is not changed.
        rng: the source of randomness.
    """
    for operation in rng.choice(len(IMAS_POOL), size=2):
        image = IMAS_POOL[operation](image, rng.uniform() * rng.choice((-1, 1)))
    return image


def _identity(image: np.ndarray, u: float) -> np.ndarray:
    return image


def _autocontrast(image: np.ndarray, u: float) -> np.ndarray:
    """Stretches each channel to 0..255."""
    low = image.min(axis=(0, 1)).astype(np.float64)
    high = image.max(axis=(0, 1)).astype(np.float64)
    gain = 255 / np.maximum(high - low, 1)
    table = (np.arange(256)[:, None] - low) * gain
    flat = high <= low
    table[:, flat] = np.arange(256)[:, None]
    return _per_channel(image, np.clip(table, 0, 255).astype(np.uint8))


def _equalize(image: np.ndarray, u: float) -> np.ndarray:
    """Flattens each channel's histogram, with Pillow's rounding."""
    tables = []
    for channel in range(3):
        histogram = np.bincount(image[:, :, channel].ravel(), minlength=256)
        filled = histogram[histogram > 0]
        step = (filled.sum() - filled[-1]) // 255
        below = np.concatenate([[0], np.cumsum(histogram)[:-1]])
        table = np.arange(256) if step == 0 else np.minimum((step // 2 + below) // step, 255)
        tables.append(table)
    return _per_channel(image, np.stack(tables, axis=1).astype(np.uint8))


def _invert(image: np.ndarray, u: float) -> np.ndarray:
    return 255 - image


def _blur(image: np.ndarray, u: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), blur_radius(abs(u)))


def _contrast(image: np.ndarray, u: float) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _blend(np.full_like(image, int(grey.mean() + 0.5)), image, enhance_factor(abs(u)))


def _brightness(image: np.ndarray, u: float) -> np.ndarray:
    return _blend(np.zeros_like(image), image, enhance_factor(abs(u)))


def _saturation(image: np.ndarray, u: float) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _blend(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), image, enhance_factor(abs(u)))


def _sharpness(image: np.ndarray, u: float) -> np.ndarray:
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=np.float32) / 13  # Pillow's SMOOTH
    smooth = image.copy()  # the border stays as it is
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel)[1:-1, 1:-1]
    return _blend(smooth, image, enhance_factor(abs(u)))


def _posterize(image: np.ndarray, u: float) -> np.ndarray:
    return image & np.uint8(0xFF << (8 - posterize_bits(abs(u))) & 0xFF)


def _solarize(image: np.ndarray, u: float) -> np.ndarray:
    values = np.arange(256)
    table = np.where(values < solarize_threshold(abs(u)), values, 255 - values).astype(np.uint8)
    return cv2.LUT(image, table)


def _hue(image: np.ndarray, u: float) -> np.ndarray:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    hsv[:, :, 0] += np.uint8(hue_shift(u) % 256)  # uint8 wraps round the hue circle
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


IMAS_POOL: tuple[Operation, ...] = (
    _identity,
    _autocontrast,
    _equalize,
    _invert,
    _blur,
    _contrast,
    _brightness,
    _saturation,
    _sharpness,
    _posterize,
    _solarize,
    _hue,
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
    """Values from here on are inverted: 256 (none) to 1."""
    return int(np.clip(256 - np.ceil(255 * MAGNITUDE * u), 1, 256))


def hue_shift(u: float) -> int:
    """Shift on a hue circle of 256 steps, for u in [-1, 1]: up to half a turn either way."""
    return int(255 * 0.5 * MAGNITUDE * u)


def _blend(degenerate: np.ndarray, image: np.ndarray, factor: float) -> np.ndarray:
    """Pillow's ImageEnhance: factor 1 is the image, 0 the degenerate one."""
    return cv2.addWeighted(image, factor, degenerate, 1 - factor, 0)


def _per_channel(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Looks values up in one [256, 3] table per channel."""
    return cv2.LUT(image, table[None])


STRONG_VIEWS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "imas": imas_strong_view,
}
"""Strong views by name; a method asks for them in its `Views`."""
