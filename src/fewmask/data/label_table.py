"""How values in mask files become labels 0..K-1, with a clear error for every other value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from fewmask.batch import IGNORE
from fewmask.errors import UserError


@dataclass(frozen=True)
class LabelTable:
    """How values in mask files become labels.

    Attributes:
        num_classes: K.
        mapping: file value to label, applied first. Other values stay as they are.
        ignore: file values that become 255, unless the mapping names them.
        palette: color 0xRRGGBB to label, for masks whose colors are the classes. If it is given,
            `mapping` and `ignore` are not used.
        advice: the end of the error about an unknown value: what to do about it.
    """

    num_classes: int
    mapping: Mapping[int, int] = field(default_factory=dict)
    ignore: Sequence[int] = (IGNORE,)
    palette: Mapping[int, int] = field(default_factory=dict)
    advice: str = (
        "Fix the mask, set data.label_mapping={{{value}: <class>}}, or add the value to "
        "data.ignore."
    )

    def __post_init__(self) -> None:
        labels = [*self.mapping.values(), *self.palette.values()]
        wrong = [x for x in labels if x >= self.num_classes and x != IGNORE]
        if wrong:
            raise UserError(
                f"data.label_mapping or data.palette maps to {wrong[0]}, but the "
                f"{self.num_classes} classes are 0..{self.num_classes - 1} (and {IGNORE} means "
                "ignore). Correct the mapping, or name more classes."
            )

    def to_labels(self, values: np.ndarray, file: Path) -> np.ndarray:
        """Turns file values [H, W] into labels 0..K-1 or 255, as uint8.

        Raises:
            UserError: for a value that stands for no class.
        """
        if self.palette:
            return self._by_color(values, file)
        table = self._table
        if values.dtype == np.uint8:
            # Two lookups of OpenCV are several times faster than NumPy's indexing.
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
                f"name ({', '.join(found)}). Add the colors (255 means: no label). If there are "
                "many of them, export the mask as PNG without smoothing."
            )
        labels: np.ndarray = np.array([self.palette[c] for c in known], np.uint8)[place]
        return labels

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
