"""Images and masks in files, as a data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from fewmask.batch import IGNORE
from fewmask.data.cache import DecodedFolder
from fewmask.data.computed import Computed
from fewmask.data.images import read_colors, read_image, read_mask, to_long_side
from fewmask.errors import UserError


@dataclass(frozen=True)
class LabelTable:
    """How values in mask files become labels.

    Attributes:
        num_classes: K.
        mapping: file value to label, applied first; other values stay as they are.
        ignore: file values that become 255, unless the mapping names them.
        palette: color 0xRRGGBB to label, for masks coded in colors; then nothing else counts.
        advice: what to do about a value that is none of these, for the error.
    """

    num_classes: int
    mapping: Mapping[int, int] = field(default_factory=dict)
    ignore: Sequence[int] = (IGNORE,)
    palette: Mapping[int, int] = field(default_factory=dict)
    advice: str = (
        "Fix the mask, or set data.label_mapping={{{value}: <class>}}, or add the value to "
        "data.ignore."
    )

    def to_labels(self, values: np.ndarray, file: Path) -> np.ndarray:
        """Turns file values [H, W] into labels 0..K-1 or 255, as uint8.

        Raises:
            UserError: for a value that is none of the classes.
        """
        if self.palette:
            return self._by_color(values, file)
        table = self._table
        if values.dtype == np.uint8:
            if cv2.countNonZero(cv2.LUT(values, self._is_wrong)) == 0:
                return np.asarray(cv2.LUT(values, table[:256].astype(np.uint8)))
        elif int(values.max(initial=0)) < len(table):
            labels = table[values]
            if not (labels < 0).any():
                return np.asarray(labels, np.uint8)
        present = np.unique(values).tolist()
        wrong = [v for v in present if v >= len(table) or table[v] < 0]
        raise UserError(
            f"Mask {file} has label {_some(wrong)}; expected for the {self.num_classes} classes "
            f"are {_ranges(np.flatnonzero(table >= 0).tolist())}. "
            + self.advice.format(value=wrong[0])
        )

    def _by_color(self, colors: np.ndarray, file: Path) -> np.ndarray:
        known = np.array(sorted(self.palette))
        place = np.searchsorted(known, colors).clip(max=len(known) - 1)
        foreign = colors[known[place] != colors]
        if len(foreign):
            found = [f"#{c:06x}" for c in np.unique(foreign)[:3]]
            raise UserError(
                f"Mask {file} has {len(foreign)} pixels in colors that data.palette does not "
                f"name ({', '.join(found)}). Add them (255 means: no label), or save the mask "
                "without smoothing and not as JPEG."
            )
        labels: np.ndarray = np.array([self.palette[c] for c in known], np.uint8)[place]
        return labels

    def __post_init__(self) -> None:
        labels = [*self.mapping.values(), *self.palette.values()]
        wrong = [x for x in labels if x >= self.num_classes and x != IGNORE]
        if wrong:
            raise UserError(
                f"data.label_mapping or data.palette maps to {wrong[0]}, but the "
                f"{self.num_classes} classes are "
                f"0..{self.num_classes - 1} (and {IGNORE} for ignore). Fix it, or name more "
                "classes."
            )

    @cached_property
    def _is_wrong(self) -> np.ndarray:
        """1 for the values below 256 that are not allowed."""
        return (self._table[:256] < 0).astype(np.uint8)

    @cached_property
    def _table(self) -> np.ndarray:
        """File value to label; -1 for values that are not allowed."""
        table = np.full(max([255, *self.mapping]) + 1, -1, dtype=np.int16)
        table[: self.num_classes] = np.arange(self.num_classes)
        for value in self.ignore:
            table[value] = IGNORE
        for value, label in self.mapping.items():
            table[value] = label
        return table


@dataclass(frozen=True)
class Paths(Computed[Path]):
    """Files made from names when asked for: a million of them cost a million names, no more.

    Example:
        Paths(Path("JPEGImages"), ["2007_000032"], ".jpg")[0]  # JPEGImages/2007_000032.jpg
    """

    folder: Path
    names: Sequence[str]
    suffix: str

    def __len__(self) -> int:
        return len(self.names)

    def item(self, index: int) -> Path:
        """The file at a position."""
        return self.folder / f"{self.names[index]}{self.suffix}"


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
        decoded: keeps what was read on disk, if it is given.
        channels: bands of an image; 3 reads any image as RGB.
    """

    images: Sequence[Path]
    masks: Sequence[Path | None]
    names: Sequence[str]
    labels: LabelTable
    long_side: int | None = None
    memory: dict[Path, np.ndarray] | None = None
    channels: int = 3
    decoded: DecodedFolder | None = None

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> np.ndarray:
        """The image as uint8 [H, W, C], turned as its EXIF tag says, at `long_side`."""
        file = self.images[index]
        how = ("image", self.channels, self.long_side)
        return self._remembered(
            file, how, lambda: to_long_side(read_image(file, self.channels), self.long_side)
        )

    def mask(self, index: int) -> np.ndarray:
        """The labels as uint8 [H, W], at the mask's own size."""
        file = self.masks[index]
        assert file is not None, f"{self.names[index]} has no mask"
        read = read_colors if self.labels.palette else read_mask
        return self._remembered(
            file, ("mask", self.labels), lambda: self.labels.to_labels(read(file), file)
        )

    def _remembered(self, file: Path, how: object, read: Callable[[], np.ndarray]) -> np.ndarray:
        if self.memory is not None and file in self.memory:
            return self.memory[file]
        array = read() if self.decoded is None else self.decoded.get(file, how, read)
        if self.memory is not None:
            self.memory[file] = np.array(array)  # a memory map would keep its file open
        return array

    def subset(self, indices: Sequence[int]) -> Self:
        """The images at these positions, in this order."""
        names = [self.names[i] for i in indices]

        def pick(paths: Sequence[Any]) -> Sequence[Any]:
            if isinstance(paths, Paths) and paths.names is self.names:
                return replace(paths, names=names)
            return [paths[i] for i in indices]

        return replace(self, images=pick(self.images), masks=pick(self.masks), names=names)


def _some(values: Sequence[int], most: int = 6) -> str:
    shown = ", ".join(str(v) for v in values[:most])
    return shown + (f" ... ({len(values)} values)" if len(values) > most else "")


def _ranges(values: Sequence[int]) -> str:
    """Sorted numbers in short: 0..20, 255."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], value]
        else:
            runs.append([value, value])
    return ", ".join(f"{a}..{b}" if b > a else str(a) for a, b in runs)
