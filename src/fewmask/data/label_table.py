"""How values in mask files become labels 0..K-1, with a clear error for every other value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from fewmask.batch import IGNORE
from fewmask.errors import UserError

OWN_ADVICE = (
    "Fix the mask, set data.label_mapping={{{value}: <class>}}, or add the value to data.ignore."
)


@dataclass(frozen=True)
class LabelTable:
    """How values in mask files become labels.

    Attributes:
        num_classes: K.
        mapping: file value to label, applied first. Other values stay as they are.
        ignore: file values that become 255, unless the mapping names them.
        palette: color 0xRRGGBB to label, for masks whose colors are the classes. If it is given,
            nothing else is used.
        is_binary: whether every value above 0 that the mapping does not name is class 1.
        advice: what to do about an unknown value, if these are not the user's own masks.
        array: the one that holds the values, in mask files of several arrays.
    """

    num_classes: int
    mapping: Mapping[int, int] = field(default_factory=dict)
    ignore: Sequence[int] = (IGNORE,)
    palette: Mapping[int, int] = field(default_factory=dict)
    is_binary: bool = False
    advice: str = ""
    array: str = ""

    def __post_init__(self) -> None:
        labels = [*self.mapping.values(), *self.palette.values()]
        wrong = [x for x in labels if x >= self.num_classes and x != IGNORE]
        if wrong:
            raise UserError(
                f"data.label_mapping or data.palette maps to {wrong[0]}, but the "
                f"{self.num_classes} classes are 0..{self.num_classes - 1} (and {IGNORE} means "
                "ignore). Correct the mapping, or name more classes."
            )

    def label_of(self, value: int) -> int | None:
        """The label of a file value (or color), 0..K-1 or 255; None if it stands for no class."""
        if self.palette:
            return self.palette.get(value)
        if value in self.mapping:
            return self.mapping[value]
        if value in self.ignore:
            return IGNORE
        if self.is_binary and value >= 0:
            return min(value, 1)
        return value if 0 <= value < self.num_classes else None

    def to_labels(self, values: np.ndarray, file: Path) -> np.ndarray:
        """Turns file values [H, W] into labels 0..K-1 or 255, as uint8.

        Raises:
            UserError: for a value that stands for no class.
        """
        if self.palette:
            return self._by_color(values, file)
        if values.dtype == np.uint8:
            # Two lookups of OpenCV are several times faster than NumPy's indexing.
            if cv2.countNonZero(cv2.LUT(values, self._is_wrong)) == 0:
                return np.asarray(cv2.LUT(values, self._table))
            present = np.unique(values).tolist()
        else:
            present = distinct(values)[0].tolist()
            labels = [self.label_of(value) for value in present]
            if None not in labels:
                place = np.searchsorted(present, values)
                return np.array(labels, np.uint8)[place]
        wrong = [value for value in present if self.label_of(value) is None]
        known = {*self.mapping, *self.ignore, *range(self.num_classes)}
        raise UserError(
            f"Mask {file} has label {_some(wrong)}; expected for the {self.num_classes} classes "
            f"are {_ranges(sorted(known))}. " + (self.advice or OWN_ADVICE.format(value=wrong[0]))
        )

    def _by_color(self, colors: np.ndarray, file: Path) -> np.ndarray:
        known = np.array(sorted(self.palette))
        place = np.searchsorted(known, colors).clip(max=len(known) - 1)
        foreign = colors[known[place] != colors]
        if len(foreign):
            found = [f"#{c:06x}" for c in np.unique(foreign)[:3]]
            raise UserError(
                f"Mask {file} has {len(foreign)} pixels in colors that data.palette does not "
                f"name ({', '.join(found)}). Add the colors (255 means: no label). If there are "
                "many of them, export the mask as PNG without smoothing."
            )
        labels: np.ndarray = np.array([self.palette[c] for c in known], np.uint8)[place]
        return labels

    @cached_property
    def _is_wrong(self) -> np.ndarray:
        """1 for the values below 256 that are not allowed, uint8 [256]."""
        return np.array([self.label_of(value) is None for value in range(256)], np.uint8)

    @cached_property
    def _table(self) -> np.ndarray:
        """Labels of the values below 256, uint8 [256]; 255 for values that are not allowed."""
        labels = [self.label_of(value) for value in range(256)]
        return np.array([IGNORE if label is None else label for label in labels], np.uint8)


def distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values that occur in an array of integers, sorted, and how often each occurs."""
    if values.dtype == bool or (values.min(initial=0) >= 0 and values.max(initial=0) < 2**16):
        counts = np.bincount(values.ravel())  # much faster than sorting
        found = np.flatnonzero(counts)
        return found, counts[found]
    return np.unique(values, return_counts=True)


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
