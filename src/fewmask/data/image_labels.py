"""Image-level labels: a file that tells which classes an image shows, but not where."""

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.data.classes import Classes
from fewmask.data.lists.reading import read_text, without_suffix
from fewmask.errors import UserError, did_you_mean


def read_image_labels(file: Path, names: Sequence[str], classes: Classes) -> np.ndarray:
    """Reads the classes of every image of a set.

    A CSV file has rows with the name of an image and one or more of its classes. Columns are
    separated by commas, semicolons, tabs or spaces; several classes in one column, by semicolons,
    blanks or |.
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
    rows = _read_rows(file, names, classes)
    by_name = {without_suffix(name): labels for name, labels in rows.items()}
    # A bare name means an image in a subfolder, if there is only one of that name.
    bare = Counter(Path(name).stem for name in names)
    present = np.zeros((len(names), len(classes)), dtype=bool)
    for i, name in enumerate(names):
        labels = rows.get(name)
        for key in _keys(name, bare[Path(name).stem] == 1):
            labels = by_name.get(key) if labels is None else labels
        if labels is None:
            raise UserError(
                f"data.image_labels={file} does not name the unlabeled image '{name}'. Add a row "
                "for it, or take the image out of the unlabeled set."
            )
        for label in (part for one in labels for part in _split(one, classes.names)):
            if label not in classes.names:
                raise UserError(
                    f"data.image_labels={file} gives '{name}' the class '{label}'. "
                    f"{did_you_mean(label, classes.names)}"
                )
            present[i, classes.names.index(label)] = True
    return present


def _split(label: str, names: Sequence[str]) -> list[str]:
    """The classes that are named in one column: a name may hold blanks, or they part names."""
    parts = [part for part in re.split(r"[\s|/+&]+", label) if part]
    return parts if label not in names and {*parts} <= {*names} else [label]


def _keys(name: str, is_unique: bool) -> tuple[str, ...]:
    """What an image may be called in the file. Names in a pool keep their suffix."""
    path = Path(name)
    return (name, without_suffix(name), *((path.name, without_suffix(path.name)) * is_unique))


def _read_rows(file: Path, names: Sequence[str], classes: Classes) -> dict[str, list[str]]:
    """The class names of each image."""
    try:
        text = read_text(file)
        if file.suffix.lower() == ".json":
            return _checked(json.loads(text, object_pairs_hook=_each_once), file)
    except (ValueError, RecursionError) as error:
        raise UserError(f"Cannot read data.image_labels={file}: {error}") from None
    rows: dict[str, list[str]] = {}
    lines = [line for line in text.splitlines() if line.strip()]
    mark = _separator(lines, names)
    for name, *cells in csv.reader(lines, delimiter=mark, skipinitialspace=True):
        labels = [label for cell in cells for label in _labels(cell.strip(), classes)]
        rows.setdefault(name.strip(), []).extend(labels)
    rows.pop("image", None)  # a heading
    if not any(rows.values()):
        raise UserError(
            f"data.image_labels={file}: no row holds a class. Expected rows such as "
            "p1.jpg,cat,dog (separated by commas, semicolons, tabs or spaces)."
        )
    return rows


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no key may be given twice: the first would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        count = Counter(key for key, _ in pairs)
        raise ValueError(f"'{count.most_common(1)[0][0]}' is given twice. Join the two.")
    return found


def _labels(cell: str, classes: Classes) -> list[str]:
    """The classes in a column."""
    if cell in classes.names:
        return [cell]
    return [label.strip() for label in re.split("[,;|]", cell) if label.strip()]


def _separator(lines: Sequence[str], names: Sequence[str]) -> str:
    """What separates the columns: that which leaves names of images in the first one."""
    known = {key for name in names for key in _keys(name, is_unique=True)}

    def images(mark: str) -> int:
        firsts = (line.partition(mark)[0].strip().strip('"') for line in lines if mark in line)
        return sum(first in known or without_suffix(first) in known for first in firsts)

    return max((",", "\t", ";", ":", "|", " "), key=images)


def _checked(content: Any, file: Path) -> dict[str, list[str]]:
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise UserError(
            f'data.image_labels={file}: expected {{"image": ["class", ...], ...}}, image names '
            "to lists of class names."
        )
    return {str(name): [str(label) for label in labels] for name, labels in content.items()}
