"""How much of each photo belongs to each class, as a table: the share of weeds, or of damage."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from fewmask import atomic
from fewmask.atomic import read_text
from fewmask.data import Classes
from fewmask.data.own_files import OwnFiles, require_no_link

NO_LABEL = "no label"
"""The last column: pixels below the threshold."""


class Areas:
    """Writes the share of each class in every predicted photo, in percent.

    Rows are added while photos are predicted, by several threads. A photo that is predicted again
    gets another row, and `tidy` keeps the last one.

    Args:
        file: a .csv file, which may hold rows already.
        classes: of the labels.

    Example:
        areas.add("field/p1", labels)  # field/p1,71.25,28.75,0.0
        areas.tidy()
    """

    def __init__(self, file: Path, classes: Classes):
        self.file, self.classes = file, classes
        # Rows wait in a file of their own, so that the table is always whole.
        self.added = file.with_name(f".{file.name}")
        self._own, self._lock = OwnFiles(file.parent), Lock()

    def add(self, name: str, labels: np.ndarray) -> None:
        """Adds the row of a photo; labels: uint8 [H, W], 255 for no label."""
        counts = np.bincount(labels.ravel(), minlength=256)
        shares = [*counts[: len(self.classes)], counts[len(self.classes) :].sum()]
        row = [name, *(f"{100 * share / labels.size:.3f}" for share in shares)]
        require_no_link(self.added)
        with self._lock:
            atomic.unshare(self.added)
            with self.added.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(row)

    def tidy(self) -> None:
        """Writes the table again with a heading, sorted, with one row for each photo."""
        seen = -1
        # Another process may add rows meanwhile, and write its table before this one.
        while self.added.is_file() and (size := self.added.stat().st_size) != seen:
            seen = size
            self._own.write_text(self.file, self._table(self._rows(self.file, self.added)))

    def is_tidy(self) -> bool:
        """Whether the table looks as `tidy` writes it: so did versions that noted nothing."""
        text = read_text(self.file, errors="replace")
        return text == self._table(self._rows(self.file))

    def mean(self, names: Iterable[str]) -> list[float] | None:
        """The mean share of each class in these photos, in percent; None if none has a row."""
        rows = self._rows(self.file, self.added)
        shares = [[float(share) for share in rows[name][1:]] for name in names if name in rows]
        return [*np.mean(shares, axis=0)[:-1].tolist()] if shares else None

    @property
    def _head(self) -> list[str]:
        return ["photo", *self.classes.names, NO_LABEL]

    def _table(self, rows: dict[str, list[str]]) -> str:
        text = io.StringIO()
        table = [self._head, *(rows[name] for name in sorted(rows))]
        csv.writer(text, lineterminator="\n").writerows(table)
        return text.getvalue()

    def _rows(self, *files: Path) -> dict[str, list[str]]:
        """The last row of each photo, without those that are damaged."""
        present = [file for file in files if file.is_file()]
        texts = [read_text(file, errors="replace") for file in present]
        lines = csv.reader([line for text in texts for line in text.splitlines()])
        return {line[0]: line for line in lines if len(line) == len(self._head) and _is_row(line)}


def _is_row(line: Sequence[str]) -> bool:
    return all(re.fullmatch(r"\d+\.\d+", share) for share in line[1:])
