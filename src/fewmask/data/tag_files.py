"""Image-level labels in a folder: for every image a small file with the classes that it shows."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.batch import IGNORE
from fewmask.data.classes import Classes
from fewmask.data.image_files import files_below
from fewmask.data.label_table import LabelTable
from fewmask.data.lists.reading import read_text
from fewmask.data.mask_arrays import read_content
from fewmask.errors import UserError, listed

TAG_SUFFIXES = (".mat", ".npy", ".npz", ".txt")


def read_tag_files(
    folder: Path, wanted: Collection[str], classes: Classes, table: LabelTable | None
) -> dict[str, list[str]]:
    """The classes of images, by the paths of their files below the folder, without suffix.

    A file holds one vector: the numbers that its classes have in masks, or their names; or a 0 or 1
    for each of three classes or more.

    Args:
        folder: of files of `TAG_SUFFIXES`.
        wanted: what the images may be called. Other files are not read.
        classes: the classes of the data.
        table: how values in masks become labels; None if they are labels.

    Raises:
        UserError: for a file that cannot be meant so, or two files for one image.
    """
    rows: dict[str, list[str]] = {}
    for file in files_below(folder):
        name = file.relative_to(folder).as_posix().removesuffix(file.suffix)
        if file.suffix.lower() not in TAG_SUFFIXES or name not in wanted:
            continue
        if name in rows:
            raise UserError(f"{_named(file)}: a second file has the same name. Keep one of them.")
        found = (_class(tag, file, classes, table) for tag in _tags(file, classes.names))
        rows[name] = [tag for tag in found if tag is not None]
    if not rows:
        raise UserError(
            f"data.image_labels={folder}: no file in this folder has the name of an image. "
            f"Expected one ({', '.join(TAG_SUFFIXES)}) for each image: p1.mat for p1.jpg."
        )
    return rows


def vector_in(file: Path) -> np.ndarray | None:
    """The numbers or words of an array file that holds one vector, and so no mask."""
    try:
        found = [*_arrays(read_content(file, "arrays"))]
    except UserError:
        return None
    return found[0].ravel() if len(found) == 1 and _is_vector(found[0]) else None


def _named(file: Path) -> str:
    return f"Image-level labels {file}"


def _tags(file: Path, names: Sequence[str]) -> Sequence[float | str]:
    """The numbers or names in a file."""
    if file.suffix.lower() == ".txt":
        words = [word.strip() for word in re.split(r"[,;\n]+", read_text(file))]
        is_number = re.compile(r"\d{1,18}").fullmatch
        return [int(word) if is_number(word) and word not in names else word for word in words]
    found = [*_arrays(read_content(file, "image-level labels"))]
    if len(found) != 1 or not _is_vector(found[0]):
        held = listed(f"{array.dtype} {[*array.shape]}" for array in found) or "none"
        raise UserError(f"{_named(file)}: expected one vector of class numbers; found {held}.")
    tags: list[Any] = found[0].ravel().tolist()
    if 2 < len(names) == len(tags) and {*tags} <= {0, 1}:
        return [name for name, is_shown in zip(names, tags, strict=True) if is_shown]
    if len({*tags}) < len(tags) or found[0].dtype == bool or (len(names), tags) == (2, [1, 0]):
        raise UserError(
            f"{_named(file)}: expected the number of each class once; found {listed(tags)}."
        )
    return tags


def _arrays(content: Any) -> Iterator[np.ndarray]:
    """All that a file holds, however deep, as arrays."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if not str(key).startswith("__"):  # MATLAB's header
                yield from _arrays(value)
    else:
        yield np.atleast_1d(np.asarray(content))


def _is_vector(array: np.ndarray) -> bool:
    """Whether an array is one row or column, of numbers or of text."""
    is_text = all(isinstance(value, str) for value in array.flat)
    return sum(length != 1 for length in array.shape) < 2 and (
        is_text or array.dtype.kind in "biuf"
    )


def _class(tag: float | str, file: Path, classes: Classes, table: LabelTable | None) -> str | None:
    """The name of the class that a number or word stands for; None for no label."""
    if isinstance(tag, str):
        return tag.strip() or None  # whether there is such a class is looked at with all formats
    numbers = table if table is not None and not table.palette else LabelTable(len(classes))
    label = numbers.label_of(int(tag)) if float(tag).is_integer() else None
    if label is None:
        raise UserError(
            f"{_named(file)}: no class has the number {tag} in masks; they are "
            f"{listed(classes.values)}. If its numbers count from 1, subtract 1."
        )
    return None if label == IGNORE else classes.names[label]
