"""Draws annotations as masks.

Shapes are drawn in the order of the annotation, later ones over earlier ones. Pixels outside all
shapes are class 0, the background. A pixel is inside an outline if its center is, as in COCO's own
masks; programs that paint the outline as well make objects a pixel larger.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fewmask.data.annotations.annotation import Annotation, Shape


class Drawn(NamedTuple):
    """A mask, and what cannot be seen in it."""

    labels: np.ndarray  # uint8 [H, W]
    hidden: list[str]  # classes of the shapes that lie wholly under later ones
    outside: list[str]  # classes of the shapes that cover no pixel


def draw_mask(one: Annotation, classes: Sequence[str]) -> Drawn:
    """The labels of one image."""
    labels = np.zeros((one.height, one.width), np.uint8)
    top = np.full(labels.shape, -1, np.int32)  # the shape that each pixel shows
    was_drawn = []
    for number, shape in enumerate(one.shapes):
        place, covered = _covered(shape, one.height, one.width)
        labels[place][covered] = classes.index(shape.name)
        top[place][covered] = number
        was_drawn.append(bool(covered.any()))
    seen = {*np.unique(top).tolist()}
    numbered = [*enumerate(one.shapes)]
    lost = [shape.name for number, shape in numbered if was_drawn[number] and number not in seen]
    return Drawn(labels, lost, [shape.name for number, shape in numbered if not was_drawn[number]])


def _covered(shape: Shape, height: int, width: int) -> tuple[tuple[slice, slice], np.ndarray]:
    """A part of the image, and the pixels of a shape there, bool [h, w]."""
    if shape.pixels is None:
        return (slice(None), slice(None)), inside(shape.outline, height, width)
    left, top = shape.corner
    # Pixels may reach beyond the image, on all sides.
    pixels = shape.pixels[max(0, -top) :, max(0, -left) :]
    left, top = max(0, left), max(0, top)
    pixels = pixels[: max(0, height - top), : max(0, width - left)]
    rows, columns = pixels.shape
    return (slice(top, top + rows), slice(left, left + columns)), pixels


def inside(outline: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels whose centers lie inside an outline, by the even-odd rule.

    Args:
        outline: [N, 2], x and y in pixels; the center of the first pixel is (0.5, 0.5).
        height: of the image.
        width: of the image.

    Returns:
        bool [H, W].
    """
    # Crossing an edge changes inside to outside. `crossed` marks the first pixel behind each one.
    crossed = np.zeros((height, width + 1), bool)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        low, high = min(y0, y1), max(y0, y1)
        first, end = (min(height, max(0, int(np.ceil(y - 0.5)))) for y in (low, high))
        rows = np.arange(first, end)
        if len(rows):
            x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            columns = np.ceil(x - 0.5).clip(0, width).astype(int)
            crossed[rows, columns] ^= True
    covered: np.ndarray = np.logical_xor.accumulate(crossed, axis=1)[:, :width]
    return covered
