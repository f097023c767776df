"""Image-level labels: a file that tells which classes an image shows, but not where."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.config import did_you_mean
from fewmask.data.classes import Classes
from fewmask.errors import UserError


def read_image_labels(file: Path, names: Sequence[str], classes: Classes) -> np.ndarray:
    """Reads the classes of every image of a set.

    A CSV file has rows with the name of an image and one or more of its classes. Columns are
    separated by commas, semicolons, tabs or spaces; several classes in one column, by semicolons.
    Several rows of one image add up. A JSON file is one object: `{"image": ["class", ...], ...}`.
    The file may name images of other sets too.

    Args:
        file: `.csv` or `.json`.
        names: the images' names. The file may add a suffix such as `.jpg`.
        classes: the classes of the data.

    Returns:
        bool [N, K], in the order of `names`.

    Raises:
        UserError: for an unreadable file, an unknown class, or an image that is not in it.
    """
    rows = _read_rows(file)
    by_name = {Path(name).with_suffix("").as_posix(): labels for name, labels in rows.items()}
    present = np.zeros((len(names), len(classes)), dtype=bool)
    for i, name in enumerate(names):
        labels = rows.get(name)
        for key in _keys(name):
            labels = by_name.get(key) if labels is None else labels
        if labels is None:
            raise UserError(
                f"data.image_labels={file} does not name the unlabeled image '{name}'. Add a row "
                "for it, or take the image out of the unlabeled set."
            )
        for label in labels:
            if label not in classes.names:
                raise UserError(
                    f"data.image_labels={file} gives '{name}' the class '{label}'. "
                    f"{did_you_mean(label, classes.names)}"
                )
            present[i, classes.names.index(label)] = True
    return present


def _keys(name: str) -> tuple[str, ...]:
    """What an image may be called in the file. Names in a pool keep their suffix."""
    path = Path(name)
    return name, path.name, path.with_suffix("").as_posix(), path.stem


def _read_rows(file: Path) -> dict[str, list[str]]:
    """The class names of each image."""
    try:
        text = file.read_text(encoding="utf-8-sig")  # Excel writes a byte order mark
        if file.suffix.lower() == ".json":
            return _checked(json.loads(text), file)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"Cannot read data.image_labels={file}: {error}") from None
    rows: dict[str, list[str]] = {}
    lines = [line for line in text.splitlines() if line.strip()]
    for name, *cells in csv.reader(lines, delimiter=_separator(lines), skipinitialspace=True):
        labels = [label.strip() for cell in cells for label in cell.split(";")]
        rows.setdefault(name.strip(), []).extend(label for label in labels if label)
    rows.pop("image", None)  # a heading
    if not any(rows.values()):
        raise UserError(
            f"data.image_labels={file}: no row holds a class. Expected rows such as "
            "p1.jpg,cat,dog (separated by commas, semicolons, tabs or spaces)."
        )
    return rows


def _separator(lines: Sequence[str]) -> str:
    """What separates the columns."""
    marks = (",", "\t", ";", " ")
    in_rows = {mark: sum(mark in line for line in lines) for mark in marks}
    # Names hold spaces, and semicolons also separate classes: the first that is usual here counts.
    usual = [mark for mark in marks if in_rows[mark] >= len(lines) / 2]
    return next((m for m in usual or marks if in_rows[m]), ",")


def _checked(content: Any, file: Path) -> dict[str, list[str]]:
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise UserError(
            f'data.image_labels={file}: expected {{"image": ["class", ...], ...}}, image names '
            "to lists of class names."
        )
    return {str(name): [str(label) for label in labels] for name, labels in content.items()}
