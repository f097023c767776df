"""The CSV files of a run folder, which reports read."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from fewmask.engine.sinks.rewriting import rewrite
from fewmask.engine.sinks.sink import Sink, Table
from fewmask.evaluation import Scores
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.tables import is_step, lines_of_table

Row = Mapping[str, str | float]
DIGITS = {"hardness": 6, "times": 3}
"""Decimals of the numbers in a table; 4 in the others."""


class CsvTables(Sink):
    """Appends each row as soon as it arrives, so that a killed run loses none."""

    def open(self, paths: RunPaths, first_step: int) -> None:
        """Drops rows of later steps, which the run takes again."""
        self.files = {file.stem: file for file in paths.tables}
        for file in self.files.values():
            _drop_later_rows(file, first_step)

    def scores(self, step: int, network: str, scores: Scores, class_names: Sequence[str]) -> None:
        """Writes the scores as a whole, and those of each class."""
        known: Row = {"step": step, "network": network}
        whole = {"miou": scores.miou, "pixel_accuracy": scores.pixel_accuracy}
        self._append("results", [{**known, **whole}])
        of_classes = zip(class_names, scores.iou, strict=True)
        rows = [{**known, "class": name, "iou": float(iou)} for name, iou in of_classes]
        self._append("per_class", rows)

    def rows(self, table: Table, rows: Sequence[Row]) -> None:
        """Writes rows under a header that follows from the first one."""
        self._append(table, rows)

    def _append(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        file, digits = self.files[table], DIGITS.get(table, 4)
        is_new = not file.exists()
        with file.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            if is_new:
                writer.writeheader()
            writer.writerows({name: _cell(row[name], digits) for name in row} for row in rows)


def _cell(value: str | float, digits: int) -> str:
    """The text of a cell: floats are rounded, whole numbers and names stay as they are."""
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _drop_later_rows(file: Path, first_step: int) -> None:
    """Keeps the complete rows up to a step, and removes a file of which nothing is left."""
    if not file.exists():
        return
    # A kill may have cut off the last row, or a crash of the machine may have damaged it.
    head, *rows = lines_of_table(file) or [[]]
    whole = [row for row in rows if len(row) == len(head) and is_step(row[0])]
    kept = [row for row in whole if int(row[0]) <= first_step]
    text = io.StringIO()
    csv.writer(text).writerows([head, *kept] if kept else [])  # the head may be damaged as well
    rewrite(file, text.getvalue())
