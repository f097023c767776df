"""Weak views: a random box of an image, scaled, cropped and flipped, as uint8."""

from functools import cache
from typing import Literal, NamedTuple

import cv2
import numpy as np

from fewmask.batch import IGNORE
from fewmask.data.images import resize_image, resize_mask

cv2.setNumThreads(0)  # the loader's workers are the parallelism

ScaleDraw = Literal["uniform", "halves", "quarters"]


class Placement(NamedTuple):
    """Which box of an image a weak view shows, at which size, and whether it is mirrored."""

    top: int
    left: int
    bottom: int
    right: int
    height: int  # of the drawn box, at most the crop's
    width: int
    mirrored: bool


def draw_scale(
    rng: np.random.Generator, scale_range: tuple[float, float], how: ScaleDraw = "uniform"
) -> float:
    """Draws the factor an image is scaled by.

    Args:
        rng: the source of randomness.
        scale_range: smallest and largest factor.
        how: `uniform` draws U(range). `halves` draws below and above 1 equally often, uniformly
            on either side. `quarters` draws multiples of 0.25, equally often.
    """
    low, high = scale_range
    if how == "quarters":
        return float(rng.choice(np.arange(low, high + 1e-6, 0.25)))
    if how == "halves" and low < 1 < high:
        low, high = (low, 1.0) if rng.random() < 0.5 else (1.0, high)
    return float(rng.uniform(low, high))


def draw_placement(
    rng: np.random.Generator, size: tuple[int, int], crop: int, scale: float
) -> Placement:
    """Draws position and flip: the papers' resize, flip and crop as one box of the image.

    So only the pixels that end up in the crop are computed.

    Args:
        rng: the source of randomness.
        size: height and width of the image.
        crop: side of the square view, in pixels.
        scale: the factor the image is scaled by before the crop.
    """
    boxes = []
    for length in size:
        # In pixels of the scaled image first, then back in pixels of the source.
        scaled = max(1, round(length * scale))
        offset = int(rng.integers(0, max(scaled - crop, 0) + 1))
        drawn = min(scaled, crop)
        start = min(round(offset / scaled * length), length - 1)
        stop = min(max(round((offset + drawn) / scaled * length), start + 1), length)
        boxes.append((start, stop, drawn))
    (top, bottom, height), (left, right, width) = boxes
    return Placement(top, left, bottom, right, height, width, bool(rng.random() < 0.5))


def weak_image(
    image: np.ndarray, place: Placement, crop: int, padding: tuple[int, ...]
) -> np.ndarray:
    """The weak view, uint8 [crop, crop, C]. Padding (bottom, right) has the color `padding` [C]."""
    box = image[place.top : place.bottom, place.left : place.right]
    drawn = resize_image(box, (place.width, place.height))
    return _padded(drawn, place, _empty_image(crop, padding))


@cache
def _empty_image(crop: int, color: tuple[int, ...]) -> np.ndarray:
    """Nothing but padding."""
    return np.tile(np.array(color, np.uint8), (crop, crop, 1))


def weak_mask(mask: np.ndarray, place: Placement, crop: int) -> np.ndarray:
    """The same view of a mask, uint8 [crop, crop]. Padding is 255."""
    box = mask[place.top : place.bottom, place.left : place.right]
    drawn = resize_mask(box, (place.width, place.height))
    return _padded(drawn, place, np.full((crop, crop), IGNORE, np.uint8))


def valid_pixels(place: Placement, crop: int) -> np.ndarray:
    """Which pixels of the view show the image, bool [crop, crop]: False on padding."""
    valid = np.zeros((crop, crop), dtype=bool)
    valid[: place.height, : place.width] = True
    return valid


def _padded(drawn: np.ndarray, place: Placement, empty: np.ndarray) -> np.ndarray:
    if place.mirrored:
        drawn = cv2.flip(drawn, 1).reshape(drawn.shape)  # OpenCV drops a single band
    if drawn.shape == empty.shape:
        return np.ascontiguousarray(drawn)
    view = empty.copy()
    view[: place.height, : place.width] = drawn
    return view
