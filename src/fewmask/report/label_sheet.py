"""Labeled photos with their masks laid over: whether a mask fits its photo, only eyes can tell."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fewmask.batch import IGNORE
from fewmask.data import Classes, Data, Dataset
from fewmask.data.images import as_rgb, size_at
from fewmask.report.pictures import GAP, contact_sheet

MOST = 24
"""Photos on a sheet."""
PAIRS = 3
"""Photos in a row, each beside its mask."""
TILE = 220
"""Pixels of a photo's longer side."""
LOOKED_AT = 500
"""Masks that are searched for rare classes, spread over all."""


def label_sheet(data: Data, most: int = MOST) -> Image.Image:
    """A sheet of labeled photos and their masks, those with the rarest classes first.

    Pixels without a label stay as they are. The classes and their colors stand below.
    """
    images, tiles = data.labeled, []
    for index in rarest_first(images, len(data.classes), most):
        photo, mask = np.ascontiguousarray(as_rgb(images.image(index))), images.mask(index)
        tiles += [_square(photo), _square(_covered(photo, mask, data.classes))]
    rows = [tiles[i : i + 2 * PAIRS] for i in range(0, len(tiles), 2 * PAIRS)]
    sheet = contact_sheet(rows, ["photo", "mask"] * min(PAIRS, len(tiles) // 2), TILE)
    return _with_legend(sheet, data.classes)


def rarest_first(images: Dataset, num_classes: int, most: int) -> list[int]:
    """The positions of up to `most` images, such that rare classes are seen first.

    Args:
        images: with masks.
        num_classes: K.
        most: how many to choose.
    """
    step = max(1, len(images) // LOOKED_AT)
    shown = {i: {*np.unique(images.mask(i)).tolist()} for i in range(0, len(images), step)}
    by_class = [[i for i, labels in shown.items() if k in labels] for k in range(num_classes)]
    by_class.sort(key=len)
    chosen: dict[int, None] = {}
    for turn in range(len(shown)):
        for having in by_class:
            if turn < len(having) and len(chosen) < most:
                chosen[having[turn]] = None
    return [*chosen]


def _covered(photo: np.ndarray, mask: np.ndarray, classes: Classes) -> np.ndarray:
    """A gray photo under the colors of its labels, which then look as in the legend."""
    small = cv2.resize(mask, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    colors = classes.colors[np.minimum(small, len(classes) - 1)]
    gray = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    covered = cv2.addWeighted(gray, 0.45, colors, 0.55, 0)
    return np.where((small == IGNORE)[..., None], photo, covered)


def _square(picture: np.ndarray) -> np.ndarray:
    """A picture in the middle of a white square, at the size of a tile."""
    width, height = size_at(picture, TILE)
    how = cv2.INTER_AREA if max(picture.shape[:2]) > TILE else cv2.INTER_NEAREST
    square = np.full((TILE, TILE, 3), 255, np.uint8)
    top, left = (TILE - height) // 2, (TILE - width) // 2
    inside = square[top : top + height, left : left + width]
    inside[:] = cv2.resize(picture, (width, height), interpolation=how)
    return square


def _with_legend(sheet: Image.Image, classes: Classes) -> Image.Image:
    font, line = ImageFont.load_default(size=15), 24
    places = _places([font.getlength(name) for name in classes.names], sheet.width)
    height = (places[-1][1] + 1) * line + 2 * GAP
    whole = Image.new("RGB", (sheet.width, sheet.height + height), "white")
    whole.paste(sheet, (0, 0))
    draw = ImageDraw.Draw(whole)
    for name, color, (x, row) in zip(classes.names, classes.colors.tolist(), places, strict=True):
        y = sheet.height + GAP + row * line
        draw.rectangle((x, y + 3, x + 16, y + 19), tuple(color), "black")
        draw.text((x + 22, y + 11), name, "black", font, anchor="lm")
    return whole


def _places(lengths: Sequence[float], width: int) -> list[tuple[int, int]]:
    """Where each entry of the legend stands: pixels from the left, and the number of the line."""
    places, x, row = [], GAP, 0
    for length in lengths:
        if x > GAP and x + 22 + length > width:
            x, row = GAP, row + 1
        places.append((x, row))
        x += round(length) + 40
    return places
