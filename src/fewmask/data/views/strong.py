"""Strong views: the weak view in other colors, pixel-aligned with it; uint8."""

from collections.abc import Callable

import cv2
import numpy as np

cv2.setNumThreads(0)  # the loader's workers are the parallelism

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
    ends = np.array([cv2.minMaxLoc(channel)[:2] for channel in cv2.split(image)])  # [3, 2]
    low, high = ends.T
    gain = 255 / np.maximum(high - low, 1)
    table = (np.arange(256)[:, None] - low) * gain
    flat = high <= low
    table[:, flat] = np.arange(256)[:, None]
    return _per_channel(image, np.clip(table, 0, 255).astype(np.uint8))


def _equalize(image: np.ndarray, u: float) -> np.ndarray:
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


def _invert(image: np.ndarray, u: float) -> np.ndarray:
    return 255 - image


def _blur(image: np.ndarray, u: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), blur_radius(abs(u)))


def _contrast(image: np.ndarray, u: float) -> np.ndarray:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _blend(np.full_like(image, int(gray.mean() + 0.5)), image, enhance_factor(abs(u)))


def _brightness(image: np.ndarray, u: float) -> np.ndarray:
    return _blend(np.zeros_like(image), image, enhance_factor(abs(u)))


def _saturation(image: np.ndarray, u: float) -> np.ndarray:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _blend(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), image, enhance_factor(abs(u)))


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


# The strong view of PseudoSeg: four jitters in random order.


def pseudoseg_strong_view(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The color jitter of PseudoSeg, in TensorFlow's semantics; its CutOut is the method's.

    Brightness + U(-0.5, 0.5), contrast and saturation x U(0.5, 1.5), hue + U(-0.25, 0.25) of a
    turn, in random order, each clipped.

    Source: Zou et al., PseudoSeg, ICLR 2021, and its released settings.

    Args:
        image: uint8 [H, W, 3]; is not changed.
        rng: the source of randomness.
    """
    jitters = (
        (add_brightness, rng.uniform(-0.5, 0.5)),
        (scale_contrast, rng.uniform(0.5, 1.5)),
        (scale_saturation, rng.uniform(0.5, 1.5)),
        (turn_hue, rng.uniform(-0.25, 0.25)),
    )
    x = image.astype(np.float32) / 255
    for i in rng.permutation(len(jitters)):
        jitter, amount = jitters[i]
        x = np.clip(jitter(x, amount), 0, 1)
    return np.asarray(x * 255 + 0.5, np.uint8)


def add_brightness(x: np.ndarray, amount: float) -> np.ndarray:
    """Adds to all channels; x is float32 [H, W, 3] in [0, 1], here and below."""
    return x + np.float32(amount)


def scale_contrast(x: np.ndarray, factor: float) -> np.ndarray:
    """Stretches each channel about its mean."""
    mean = x.mean(axis=(0, 1))
    return np.asarray((x - mean) * np.float32(factor) + mean)


def scale_saturation(x: np.ndarray, factor: float) -> np.ndarray:
    """Multiplies S of HSV, at most to 1."""
    hue, saturation, value = cv2.split(cv2.cvtColor(x, cv2.COLOR_RGB2HSV))
    saturation = np.minimum(saturation * np.float32(factor), 1)
    return cv2.cvtColor(cv2.merge([hue, saturation, value]), cv2.COLOR_HSV2RGB)


def turn_hue(x: np.ndarray, turn: float) -> np.ndarray:
    """Shifts H of HSV by a part of the whole circle."""
    hsv = cv2.cvtColor(x, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0] + np.float32(360 * turn)) % 360
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


# Both are made for colors; images of other bands take part as far as they can.

StrongView = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def strong_view(name: str, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A strong view by name, of an image uint8 [H, W, C].

    The first three bands are taken as red, green and blue (a lone one is all three), further ones
    stay as they are.
    """
    bands = image.shape[2]
    if bands == 3:
        return STRONG_VIEWS[name](image, rng)
    colors = np.ascontiguousarray(image[:, :, np.minimum(range(3), bands - 1)])
    return np.dstack([STRONG_VIEWS[name](colors, rng), image[:, :, 3:]])[:, :, :bands]


STRONG_VIEWS: dict[str, StrongView] = {
    "imas": imas_strong_view,
    "pseudoseg": pseudoseg_strong_view,
}
"""Strong views by name; a method asks for them in its `Views`."""
