"""Images and masks as data sets: what a data source hands over, and how files are read.

Every file is read through Pillow: one decoder, palette masks stay indices, and a truncated file is
an error instead of a half-grey picture.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from PIL import Image, ImageOps

from fewmask.batch import IGNORE, Dataset
from fewmask.config import BaseConfig
from fewmask.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

Image.MAX_IMAGE_PIXELS = None  # large scans are data here, not an attack


class Classes:
    """The classes of a data set: their names, colours for pictures, and which one is background.

    Args:
        names: one per class, in order of the label.
        colours: RGB per class, 0..255; by default spread round the colour circle.
    """

    def __init__(self, names: Sequence[str], colours: Sequence[Sequence[int]] | None = None):
        self.names = tuple(str(name) for name in names)
        self.colours = np.array(
            colours or default_colours(len(self.names)), dtype=np.uint8
        )  # [K, 3]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Data:
    """Everything a run reads: three disjoint data sets of the same classes."""

    classes: Classes
    labeled: Dataset
    unlabeled: Dataset
    val: Dataset
    notes: tuple[str, ...] = ()
    """What was decided on the user's behalf, to be said aloud."""
    image_labels: np.ndarray | None = None
    """The classes known to be in each unlabeled image, bool [N, K], if a file tells them."""


class DataSource(abc.ABC):
    """Where images come from. A user's own source is a subclass: `data.name=my_lab.data:MySource`.

    Example:
        class Satellite(DataSource):
            class Config(DataSource.Config):
                root: Path

            def open(self) -> Data:
                ...
    """

    class Config(BaseConfig):
        """Options every source has."""

        name: str
        """The source: a word we know (folder, camvid, synthetic) or package.module:Class."""
        long_side: int | None = None
        """Pixels: images are brought to this longer side first, in training and in evaluation;
        null keeps their own size. Scores are always taken at the mask's own size."""
        in_memory: bool = False
        """Keeps images and masks of files in memory once read, at `long_side`: faster for small
        sets."""
        image_labels: Path | None = None
        """CSV or JSON file that tells which classes are in each unlabeled image; PseudoSeg uses
        it."""

    def __init__(self, config: Config):
        self.config = config

    @abc.abstractmethod
    def open(self) -> Data:
        """Lists the data sets. What it draws, such as a hold-out, follows from its config alone."""


@dataclass(frozen=True)
class LabelTable:
    """How values in mask files become labels.

    Attributes:
        num_classes: K.
        mapping: file value to label, applied first; other values stay as they are.
        ignore: file values that become 255, unless the mapping names them.
    """

    num_classes: int
    mapping: Mapping[int, int] = field(default_factory=dict)
    ignore: Sequence[int] = (IGNORE,)

    def to_labels(self, values: np.ndarray, file: Path) -> np.ndarray:
        """Turns file values [H, W] into labels 0..K-1 or 255, as uint8.

        Raises:
            UserError: for a value that is none of the classes.
        """
        table = self._lookup()
        top = int(values.max(initial=0))
        if top < len(table):
            labels = table[values]
            if not (labels < 0).any():
                return np.asarray(labels, np.uint8)
        present = np.unique(values).tolist()
        wrong = [v for v in present if v >= len(table) or table[v] < 0]
        raise UserError(
            f"Mask {file} has label {_some(wrong)}, but the {self.num_classes} classes are "
            f"0..{self.num_classes - 1} and ignored values are {sorted(self.ignore)}. Fix the "
            f"mask, or set data.label_mapping={{{wrong[0]}: <class>}}, or add the value to "
            "data.ignore."
        )

    def __post_init__(self) -> None:
        wrong = [x for x in self.mapping.values() if x >= self.num_classes and x != IGNORE]
        if wrong:
            raise UserError(
                f"data.label_mapping maps to {wrong[0]}, but the {self.num_classes} classes are "
                f"0..{self.num_classes - 1} (and {IGNORE} for ignore). Fix it, or name more "
                "classes."
            )

    def _lookup(self) -> np.ndarray:
        """File value to label; -1 for values that are not allowed."""
        table = np.full(256, -1, dtype=np.int16)
        table[: self.num_classes] = np.arange(self.num_classes)
        for value in self.ignore:
            table[value] = IGNORE
        for value, label in self.mapping.items():
            table[value] = label
        return table


@dataclass(frozen=True)
class Files:
    """Images in files, each with a mask file or None.

    Attributes:
        images: one file per image.
        masks: as many; None for an image without a mask.
        names: unique names, usually file stems.
        labels: how mask values become labels.
        long_side: pixels, or None for the image's own size.
        memory: keeps what was read, if it is a dict.
    """

    images: Sequence[Path]
    masks: Sequence[Path | None]
    names: Sequence[str]
    labels: LabelTable
    long_side: int | None = None
    memory: dict[Path, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> np.ndarray:
        """The image as uint8 RGB [H, W, 3], turned as its EXIF tag says, at `long_side`."""
        file = self.images[index]
        return self._remembered(file, lambda: to_long_side(read_image(file), self.long_side))

    def mask(self, index: int) -> np.ndarray:
        """The labels as uint8 [H, W], at the mask's own size."""
        file = self.masks[index]
        assert file is not None, f"{self.names[index]} has no mask"
        return self._remembered(file, lambda: self.labels.to_labels(read_mask(file), file))

    def _remembered(self, file: Path, read: Callable[[], np.ndarray]) -> np.ndarray:
        if self.memory is None:
            return read()
        if file not in self.memory:
            self.memory[file] = read()
        return self.memory[file]

    def subset(self, indices: Sequence[int]) -> Self:
        """The images at these positions, in this order."""
        return replace(
            self,
            images=[self.images[i] for i in indices],
            masks=[self.masks[i] for i in indices],
            names=[self.names[i] for i in indices],
        )


def read_image(file: Path) -> np.ndarray:
    """Reads any image as uint8 RGB [H, W, 3], turned upright by its EXIF tag.

    Raises:
        UserError: if the file is missing, damaged or no image.
    """
    with _opened(file, "image") as picture:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith("I;16"):
            return np.repeat((np.asarray(upright) >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
        return np.asarray(upright.convert("RGB"))


def read_mask(file: Path) -> np.ndarray:
    """Reads the values of a palette or grey mask, [H, W].

    Raises:
        UserError: if the file is missing, damaged or coded in colours.
    """
    with _opened(file, "mask") as picture:
        if picture.mode == "1":
            return np.asarray(picture).astype(np.uint8)
        if picture.mode not in ("L", "P", "I", "I;16"):
            raise UserError(
                f"Mask {file} has mode {picture.mode}; expected one number per pixel (palette or "
                "grey, PNG modes P, L). Convert colour-coded masks to class numbers first."
            )
        return np.asarray(picture)


class _opened:
    """Opens and decodes an image file; whatever goes wrong inside becomes a UserError."""

    def __init__(self, file: Path, what: str):
        self.file, self.what = file, what

    def __enter__(self) -> Image.Image:
        try:
            self.picture = Image.open(self.file)
            self.picture.load()
        except FileNotFoundError:
            raise UserError(
                f"There is no {self.what} {self.file}. Check the list or the folder it came from."
            ) from None
        except (OSError, SyntaxError, ValueError, MemoryError) as error:
            raise UserError(
                f"Cannot read {self.what} {self.file}: {error}. It is damaged or not an image; "
                "replace it or remove it from the data."
            ) from None
        return self.picture

    def __exit__(self, *exception: object) -> None:
        self.picture.close()


def to_long_side(image: np.ndarray, long_side: int | None) -> np.ndarray:
    """Resizes uint8 [H, W, 3] to a longer side of `long_side` pixels; None changes nothing."""
    height, width = image.shape[:2]
    if long_side is None or max(height, width) == long_side:
        return image
    scale = long_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return resize_image(image, size)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes uint8 [H, W, 3] to (width, height), averaging where it shrinks."""
    shrinks = size[0] < image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes labels [H, W] to (width, height); nearest in the exact sense, equal to Pillow's."""
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)


def default_colours(count: int) -> list[tuple[int, int, int]]:
    """Well separated colours: dark grey first (often background), then golden steps of the hue."""
    hues = (np.arange(count) * 0.618034 * 180).astype(int) % 180
    hsv = np.stack(
        [hues, 150 + 70 * (np.arange(count) % 2), 235 - 50 * (np.arange(count) % 3)], axis=1
    ).astype(np.uint8)
    colours = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].tolist()
    return [(60, 60, 60), *(tuple(c) for c in colours[1:])]


def _some(values: Sequence[int], most: int = 6) -> str:
    shown = ", ".join(str(v) for v in values[:most])
    return shown + (f" ... ({len(values)} values)" if len(values) > most else "")
