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

    A CSV file has one row per image: its name, then its classes, in separate columns or in one
    column separated by `;`. A JSON file is one object: `{"image": ["class", ...], ...}`. The file
    may name images of other sets too.

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
    rows = {}
    for name, *cells in (row for row in csv.reader(text.splitlines()) if row):
        labels = [label.strip() for cell in cells for label in cell.split(";")]
        rows[name.strip()] = [label for label in labels if label]
    rows.pop("image", None)  # a heading
    return rows


def _checked(content: Any, file: Path) -> dict[str, list[str]]:
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise UserError(
            f'data.image_labels={file}: expected {{"image": ["class", ...], ...}}, image names '
            "to lists of class names."
        )
    return {str(name): [str(label) for label in labels] for name, labels in content.items()}
