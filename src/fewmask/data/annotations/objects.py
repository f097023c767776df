"""The way back from a mask to what labeling tools edit: its connected objects, and their pixels."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fewmask.data.annotations.annotation import Shape, pixel_shape
from fewmask.data.decoding import require_pixels


class Labeled(NamedTuple):
    """A photo with its labels, to be written for a labeling tool."""

    photo: Path
    name: str
    """The photo's file name with its folders, as the tool is to know it."""
    labels: np.ndarray
    """uint8 [H, W]"""
    since: int
    """When the mask was written, in nanoseconds."""


def objects(labels: np.ndarray, names: Mapping[int, str]) -> Iterator[Shape]:
    """The connected objects of each class; pixels that touch at a corner belong together.

    Args:
        labels: uint8 [H, W].
        names: of the classes to look for, by label. Pixels of other labels are in no object.
    """
    present = np.flatnonzero(np.bincount(labels.ravel())).tolist()
    for label in (label for label in names if label in present):
        alone = (labels == label).astype(np.uint8)
        count, pieces, facts, _ = cv2.connectedComponentsWithStats(alone, connectivity=8)
        for piece in range(1, count):  # 0 is everything else
            left, top, width, height, _ = facts[piece].tolist()
            inside = pieces[top : top + height, left : left + width] == piece
            yield pixel_shape(names[label], inside, (left, top))


def pixels_of(runs: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """The pixels bool [H, W] that runs stand for, the way back from `runs_of`.

    Args:
        runs: lengths of the runs outside and inside, in turns, outside first, row by row.
        size: width, height.

    Raises:
        ValueError: if the runs do not fill the image, or it is beyond the limit on images.
    """
    width, height = size
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"run lengths (RLE) that do not fill {width * height} pixels")
    require_pixels(size)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)


def runs_of(pixels: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> list[int]:
    """The lengths of the runs outside and inside, in turns, outside first, row by row.

    Args:
        pixels: bool [h, w].
        corner: where they lie in the image: x, y.
        size: of the image: width, height.

    Example:
        runs_of(np.array([[True]]), (1, 0), (3, 2))  # [1, 1, 4]
    """
    (left, top), (width, height) = corner, size
    framed = np.pad(pixels, ((0, 0), (1, 1)))
    rows, columns = np.nonzero(framed[:, 1:] != framed[:, :-1])
    changes = (rows + top) * width + columns + left
    # A run that goes on in the next row ends and begins at one place, which is no change at all.
    places, times = np.unique(changes, return_counts=True)
    ends = [0, *places[times == 1].tolist(), width * height]
    runs = [end - start for start, end in pairwise(ends)]
    return runs if runs[-1] else runs[:-1]
