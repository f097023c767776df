"""The range of values of images with more than 8 bits, found once for a whole data set.

Such images come as 16-bit numbers, fractions or decibels. If each file were stretched by itself,
one bright spot would turn an image black, and the same field would look different every day.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fewmask.data.decoding import TIFF_SUFFIXES
from fewmask.data.images import Range, read_values
from fewmask.errors import UserError

SAMPLED_IMAGES = 50
"""About this many images are looked at, spread over the labeled ones."""
SAMPLED_VALUES = 20_000
"""About this many values of each."""
CUT_OFF = 0.5
"""Percent of the values at either end that count as outliers."""
USUAL: tuple[Range, ...] = ((0, 1), (0, 255), (0, 65535))
"""Ranges that values mean although they do not fill them."""
FILLED = 0.25
"""Values that reach this share of a usual range are meant to be in it."""


def find_range(files: Sequence[Path], channels: int) -> Range | None:
    """The values that become black and white, or None if the images have 8 bits.

    They are a usual range if the values fill it, else the values themselves without outliers.

    Args:
        files: images of the data set.
        channels: bands of an image.
    """
    deep = [file for file in files if _may_be_deep(file)]
    sampled = deep[:: max(1, len(deep) // SAMPLED_IMAGES)]
    found = (_some_values(file, channels) for file in sampled)
    values = [some for some in found if some is not None]
    if not values:
        return None
    low, high = np.percentile(np.concatenate(values), (CUT_OFF, 100 - CUT_OFF)).tolist()
    for usual in USUAL:
        if low >= 0 and FILLED * usual[1] < high <= usual[1]:
            return usual
    if low == high:
        high = low + 1
    return float(f"{low:.4g}"), float(f"{high:.4g}")


def _may_be_deep(file: Path) -> bool:
    """Whether an image may have more than 8 bits, by its first bytes."""
    if file.suffix.lower() in TIFF_SUFFIXES:
        return True
    try:
        with file.open("rb") as content:
            head = content.read(26)
    except OSError:
        return False
    return head.startswith(b"\x89PNG") and len(head) == 26 and head[24] == 16


def _some_values(file: Path, channels: int) -> np.ndarray | None:
    """Some values of an image; None if it has 8 bits, or cannot be read, which is told later."""
    try:
        values = read_values(file, channels)
    except UserError:
        return None
    if values.dtype in (np.uint8, np.bool_):
        return None
    flat = values.ravel()[:: max(1, values.size // SAMPLED_VALUES)]
    return np.asarray(flat[np.isfinite(flat)], np.float64)
