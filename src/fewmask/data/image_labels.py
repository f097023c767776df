"""Image-level labels: a file that tells which classes an image shows, but not where."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.atomic import parse_csv, parse_json
from fewmask.data.classes import Classes
from fewmask.data.label_table import LabelTable
from fewmask.data.lists.reading import read_text, without_suffix
from fewmask.data.tag_files import read_tag_files
from fewmask.errors import UserError, did_you_mean


def read_image_labels(
    file: Path,
    names: Sequence[str],
    classes: Classes,
    table: LabelTable | None = None,
    needed: int | None = None,
) -> np.ndarray:
    """Reads the classes of every image of a set.

    A CSV file has rows with the name of an image and one or more of its classes. Columns are
    separated by commas, semicolons, tabs or spaces; several classes in one column, by semicolons,
    blanks or |.
    Several rows of one image add up. A JSON file is one object: `{"image": ["class", ...], ...}`.
    The file may name images of other sets too. A folder holds a file for each image, see
    `read_tag_files`.

    Args:
        file: `.csv` or `.json`, or a folder.
        names: the images' names. The file may add a suffix such as `.jpg`.
        classes: the classes of the data.
        table: how values in masks become labels.
        needed: so many images, from the first one, must be in the file. By default all.

    Returns:
        bool [N, K], in the order of `names`. Images that are not in the file have no class.

    Raises:
        UserError: for an unreadable file, an unknown class, or an image that is not in it.
    """
    known = {key for name in names for key in _keys(name, is_unique=True)}
    if file.is_dir():
        rows = read_tag_files(file, known, classes, table)
    else:
        rows = _read_rows(file, known, classes)
    found = _rows_of(names, rows)
    missing = [name for name, row in zip(names[:needed], found, strict=False) if row is None]
    if missing:
        raise UserError(
            f"data.image_labels={file} does not name the unlabeled image '{missing[0]}'"
            + f" and {len(missing) - 1} more" * (len(missing) > 1)
            + ". Add what is missing, or leave these images out: data.images may be a .txt list."
        )
    present = np.zeros((len(names), len(classes)), dtype=bool)
    for i, row in enumerate(found):
        for label in (part for one in row or () for part in _split(one, classes.names)):
            if label not in classes.names:
                raise UserError(
                    f"data.image_labels={file} gives '{names[i]}' the class '{label}'. "
                    f"{did_you_mean(label, classes.names)}"
                )
            present[i, classes.names.index(label)] = True
    return present


def _rows_of(names: Sequence[str], rows: Mapping[str, list[str]]) -> list[list[str] | None]:
    """The classes of each image, or None if the file does not name it."""
    by_name = {without_suffix(name): labels for name, labels in rows.items()}
    # A bare name means an image in a subfolder, if there is only one of that name.
    bare = Counter(Path(name).stem for name in {*names})
    found = []
    for name in names:
        labels = rows.get(name)
        for key in _keys(name, bare[Path(name).stem] == 1):
            labels = by_name.get(key) if labels is None else labels
        found.append(labels)
    return found


def _split(label: str, names: Sequence[str]) -> list[str]:
    """The classes that are named in one column: a name may hold blanks, or they part names."""
    parts = [part for part in re.split(r"[\s|/+&]+", label) if part]
    return parts if label not in names and {*parts} <= {*names} else [label]


def _keys(name: str, is_unique: bool) -> tuple[str, ...]:
    """What an image may be called in the file. Names in a pool keep their suffix."""
    path = Path(name)
    return (name, without_suffix(name), *((path.name, without_suffix(path.name)) * is_unique))


def _read_rows(file: Path, known: AbstractSet[str], classes: Classes) -> dict[str, list[str]]:
    """The class names of each image."""
    rows: dict[str, list[str]] = {}
    try:
        text = read_text(file)
        if file.suffix.lower() == ".json":
            return _checked(parse_json(text, object_pairs_hook=_each_once), file)
        lines = [line for line in text.splitlines() if line.strip()]
        mark = _separator(lines, known)
        table = parse_csv(lines, delimiter=mark, skipinitialspace=True)
    except ValueError as error:
        raise UserError(f"Cannot read data.image_labels={file}: {error}") from None
    for name, *cells in table:
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


def _separator(lines: Sequence[str], known: AbstractSet[str]) -> str:
    """What separates the columns: that which leaves names of images in the first one."""

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
