"""Reads the tables of a run folder. Incomplete lines, as a kill leaves them, are skipped."""

import csv
import io
import json
from pathlib import Path

from fewmask.atomic import read_text

TEXT_COLUMNS = ("network", "class", "image")
"""Columns that hold text; all others hold numbers."""


def read_table(file: Path) -> list[dict[str, str]]:
    """The complete rows of a CSV file of a run; empty if there is no such file."""
    if not file.is_file():
        return []
    # Damaged bytes must spoil only the line that holds them.
    text = read_text(file, errors="replace")
    # Surplus values get the key "", missing ones the value "": both mark an incomplete row.
    rows = csv.DictReader(io.StringIO(text), restkey="", restval="")
    return [row for row in rows if _is_complete(row)]


def steps_in(file: Path) -> set[int]:
    """The steps after which rows were written."""
    return {int(row["step"]) for row in read_table(file)}


def _is_complete(row: dict[str, str]) -> bool:
    if "" in row or not row.get("step", "").isdecimal():
        return False
    try:
        numbers = [float(value) for key, value in row.items() if key not in TEXT_COLUMNS]
    except ValueError:
        return False
    return len(numbers) > 0


def read_metrics(file: Path) -> list[dict[str, float]]:
    """The logged values of a run, one dictionary per line: `step`, and numbers by name."""
    if not file.is_file():
        return []
    found = []
    for line in read_text(file, errors="replace").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        is_whole = isinstance(values, dict) and "step" in values
        if is_whole and all(isinstance(value, (int, float)) for value in values.values()):
            found.append(values)
    return found
