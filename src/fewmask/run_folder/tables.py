"""The tables of a run folder, read so that a line cut off by a kill, or damaged, is passed over."""

import csv
import io
import json
from pathlib import Path
from typing import Any

WORDS = ("network", "class", "image")
"""Columns that hold no numbers."""


def read_table(file: Path) -> list[dict[str, str]]:
    """The whole rows of a CSV file that a run writes; none, if there is no such file."""
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8", errors="replace")
    rows = csv.DictReader(io.StringIO(text), restkey="", restval="")
    return [row for row in rows if _is_whole(row)]


def _is_whole(row: dict[str, str]) -> bool:
    if "" in row or not row.get("step", "").isdecimal():
        return False
    try:
        return all(float(value) is not None for key, value in row.items() if key not in WORDS)
    except ValueError:
        return False


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """What a run logged, line by line: `step`, and numbers by name."""
    file, found = folder / "metrics.jsonl", []
    lines = (
        file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    )
    for line in lines:
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict) and "step" in values:
            found.append(values)
    return found
