"""What a labeling tool's export says about an image, in whatever format it was written."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from fewmask.data.decoding import require_pixels

BACKGROUND = "background"
"""The class of all pixels outside objects."""

DEEPEST, LONGEST = 50, 255
"""Folders in each other, and bytes of a name: what file systems take."""
FARTHEST = 1e12
"""Pixels from the corner of an image, beyond which no corner of an object can be meant."""


class Shape(NamedTuple):
    """One object, or a piece of one, as an outline or as pixels."""

    name: str
    outline: np.ndarray  # [N, 2], x and y in pixels; [0, 2] if there are pixels
    pixels: np.ndarray | None = None  # bool [h, w]
    corner: tuple[int, int] = (0, 0)  # of the pixels: x, y


class Annotation(NamedTuple):
    """All shapes in one image."""

    stem: str
    width: int  # 0 if it has no shapes, and the export does not say how large it is
    height: int
    shapes: list[Shape]
    left_out: list[str]
    """Kinds of shapes that cover no pixels (lines, points), or that are empty."""


class Export(NamedTuple):
    """What a file or a folder of a labeling tool holds."""

    annotations: Iterable[Annotation]
    names: Sequence[str] = ()
    """The classes that it declares, in their order, whether an object shows them or not."""
    notes: Sequence[str] = ()
    """What else the user should know, in sentences."""


def annotation(name: str, width: Any, height: Any, shapes: Sequence[Shape | str]) -> Annotation:
    """Builds an annotation, and verifies what all formats share.

    Args:
        name: the image's file name, as the export has it.
        width: of the image, in pixels.
        height: of the image, in pixels.
        shapes: for a shape that covers no pixels, its kind.

    Raises:
        ValueError: for a name that leads out of the folder, shapes in an image without a size,
            and a shape without a label or with a corner that is not a number.
    """
    stem = stem_of(name)
    if not all(bool(shapes) <= int(side) < 1e6 for side in (width, height)):
        raise ValueError(f"the image '{name}' is {width} x {height} pixels")
    require_pixels((int(width), int(height)))
    kept = [shape._replace(name=_plain(shape.name)) for shape in shapes if isinstance(shape, Shape)]
    if any(not shape.name for shape in kept):
        raise ValueError(f"a shape of '{name}' has no label")
    for shape in kept:
        if not (np.abs(shape.outline) < FARTHEST).all():  # nor is NaN
            raise ValueError(f"a corner of an object '{shape.name}' is not a number, or far away")
    left_out = [shape for shape in shapes if isinstance(shape, str)]
    return Annotation(stem, int(width), int(height), kept, left_out)


def stem_of(name: str) -> str:
    """What counts of an image's name: its path without the suffix.

    Raises:
        ValueError: for a name that leads out of the folder, or that no data set can use.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.parts and path.parts[0].endswith(":"):  # C:/photos/a.jpg
        path = PurePosixPath(path.name)
    if ".." in path.parts or not path.name:
        raise ValueError(f"the image name '{name}' leads out of the folder")
    if not name.isprintable() or any(part.startswith(".") for part in path.parts):
        raise ValueError(f"the image name {name!r} is hidden, or holds characters no list can hold")
    if len(path.parts) > DEEPEST or any(len(part.encode()) > LONGEST for part in path.parts):
        raise ValueError(f"the image name '{name[:80]}...' is longer than file systems take")
    # A relative path keeps its folders, as images in subfolders have masks in subfolders.
    return (PurePosixPath(path.name) if path.is_absolute() else path).with_suffix("").as_posix()


def _plain(name: str) -> str:
    """The name of a class without blanks around it; one name for all that mean the background."""
    name = name.strip()
    return BACKGROUND if is_background(name) else name


def is_background(name: str) -> bool:
    """Whether the name of a class means the background."""
    return name.strip().strip("_").casefold() == BACKGROUND


def of_objects(names: Iterable[str]) -> list[str]:
    """The names of classes without the background, and without blanks around them."""
    return [name.strip() for name in names if name.strip() and not is_background(name)]


def polygon(name: str, points: np.ndarray) -> Shape | str:
    """A polygon, or its kind if it has fewer than three corners."""
    return Shape(name, points) if len(points) >= 3 else "empty polygon"


def pixel_shape(name: str, pixels: np.ndarray, corner: tuple[int, int]) -> Shape:
    """A shape made of pixels, bool [h, w], cut out of what may be the whole image."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    top, left = (int(found[0]) if len(found) else 0 for found in (rows, columns))
    height, width = (len(found) and int(np.ptp(found)) + 1 for found in (rows, columns))
    # A copy, so that an export of a thousand images does not keep all of their pixels.
    cut = pixels[top : top + height, left : left + width].copy()
    return Shape(name, np.empty((0, 2)), cut, (corner[0] + left, corner[1] + top))


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """The outline of a box, [4, 2]."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def ellipse(center: np.ndarray, width: float, height: float) -> np.ndarray:
    """The outline of an ellipse from its two half-axes, [64, 2]."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return center + np.stack([width * np.cos(angles), height * np.sin(angles)], axis=1)


def rotate(points: np.ndarray, degrees: float, about: np.ndarray | None = None) -> np.ndarray:
    """Points rotated about their center or another point, clockwise on the screen."""
    angle, center = np.deg2rad(degrees), points.mean(axis=0) if about is None else about
    matrix = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    rotated: np.ndarray = (points - center) @ matrix.T + center
    return rotated
