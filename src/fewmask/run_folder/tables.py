"""Reads the tables of a run folder. Incomplete lines, as a kill leaves them, are skipped."""

from contextlib import suppress
from pathlib import Path

from fewmask.atomic import parse_csv, parse_json, read_text
from fewmask.errors import UserError

TEXT_COLUMNS = ("network", "class", "image")
"""Columns that hold text; all others hold numbers."""
MOST_DIGITS = 19
"""Of a step, and one more: larger numbers do not fit into 64 bits."""
RESTORE = "Restore it, or train again."


def read_table(file: Path, *columns: str) -> list[dict[str, str]]:
    """The complete rows of a CSV file of a run; empty if there is no such file.

    Args:
        file: with the names of its columns in the first line.
        columns: that must be there, besides `step`.

    Raises:
        UserError: if one is not.
    """
    head, *lines = lines_of_table(file) or [[]]
    rows = [dict(zip(head, line, strict=True)) for line in lines if len(line) == len(head)]
    found = [row for row in rows if _is_complete(row)]
    missing = [name for name in columns if name not in head]
    if found and missing:
        raise UserError(f"{file} is damaged: it has no column '{missing[0]}'. {RESTORE}")
    return found


def lines_of_table(file: Path) -> list[list[str]]:
    """The cells of each line of a CSV file of a run; empty if there is no such file."""
    if not file.is_file():
        return []
    lines: list[list[str]] = []
    # Damaged bytes must spoil only the line that holds them, so each one is a table of its own: a
    # crash of the machine may leave a quotation mark, or a million zeros.
    for line in filter(None, read_text(file, errors="replace").split("\n")):
        with suppress(ValueError):
            lines += parse_csv([line])
    return lines


def is_step(text: str) -> bool:
    """Whether a cell holds the number of a step."""
    return text.isascii() and text.isdecimal() and len(text) < MOST_DIGITS


def steps_in(file: Path) -> set[int]:
    """The steps after which rows were written."""
    return {int(row["step"]) for row in read_table(file)}


def _is_complete(row: dict[str, str]) -> bool:
    if not is_step(row.get("step", "")):
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
            values = parse_json(line, parse_int=float)  # of any length
        except ValueError:
            continue
        is_whole = isinstance(values, dict) and "step" in values
        if is_whole and all(isinstance(value, float) for value in values.values()):
            found.append(values)
    return found
