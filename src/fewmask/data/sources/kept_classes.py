"""A part of a data set: some of its classes, and the images that show one of them."""

import csv
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fewmask import atomic
from fewmask.batch import IGNORE
from fewmask.data.classes import Classes
from fewmask.data.dataset import Dataset
from fewmask.data.files import Files
from fewmask.data.lists.reading import read_text
from fewmask.data.source import SUBSETS, Data
from fewmask.errors import UserError, did_you_mean

BACKGROUND = "background"


def require_known(kept: Sequence[str], names: Sequence[str]) -> None:
    """Refuses a choice of classes that names none, an unknown one, or one twice.

    Raises:
        UserError: for such a choice.
    """
    for name in kept:
        if name not in names:
            raise UserError(
                f"data.classes names '{name}', but there is no such class. "
                f"{did_you_mean(name, names)}"
            )
        if kept.count(name) > 1:
            raise UserError(f"data.classes names '{name}' twice. Name each class once.")
    if not {*kept} - {BACKGROUND}:
        raise UserError(
            f"data.classes={[*kept]} keeps no image. Name at least one class besides {BACKGROUND}."
        )


def keep_classes(data: Data, kept: Sequence[str], image_labels: Path) -> Data:
    """The images that show a kept class besides the background; other classes have no label.

    Args:
        data: with files of all classes.
        kept: names of classes, in their new order.
        image_labels: what each image shows, as `write_image_labels` has written it.

    Example:
        keep_classes(data, ["background", "cat", "dog"], file).classes.values  # (0, 8, 12)
    """
    shown = _images_showing({*kept} - {BACKGROUND}, image_labels)
    old = data.classes
    places = [old.names.index(name) for name in kept]
    values = [old.values[place] for place in places]
    mapping = dict.fromkeys(old.values, IGNORE) | {v: label for label, v in enumerate(values)}
    classes = Classes(kept, old.colors[places].tolist(), values)
    parts: dict[str, Any] = {}
    counts = []
    for subset in SUBSETS:
        files: Files = getattr(data, subset)
        found = files.subset([i for i, name in enumerate(files.names) if name in shown])
        labels = replace(files.labels, num_classes=len(kept), mapping=mapping)
        parts[subset] = replace(found, labels=labels)
        counts.append(f"{len(found)} of {len(files)} {subset}")
    note = f"data.classes keeps {', '.join(counts)} images: those that show one of its classes."
    return replace(data, classes=classes, notes=(*data.notes, note), **parts)


def _images_showing(wanted: set[str], image_labels: Path) -> set[str]:
    rows = _rows(image_labels)
    if any(len(row) != 2 for row in rows):
        raise UserError(
            f"{image_labels} is damaged: expected rows such as 2007_000032,aeroplane;person. "
            "Remove it, and run fewmask prepare voc again."
        )
    return {name for name, classes in rows if wanted & {*classes.split(";")}}


def _rows(file: Path) -> list[list[str]]:
    return [*csv.reader(read_text(file).splitlines())]


def write_image_labels(
    datasets: Sequence[Dataset],
    names: Sequence[str],
    file: Path,
    others: Sequence[str] = (),
    shown: Callable[[str], Iterable[str]] = lambda name: (),
) -> None:
    """Writes the classes that the mask of each image shows, besides the background.

    The file is one for `data.image_labels`. It is left as it is if it has the same images already.

    Args:
        datasets: with masks.
        names: of the classes, in order of the labels.
        file: `.csv`, with rows such as `2007_000032,aeroplane;person`.
        others: names of further images, without masks.
        shown: the classes of one of them.
    """
    images = [name for dataset in datasets for name in dataset.names] + [*others]
    if file.is_file() and [row[0] for row in _rows(file) if len(row) == 2][1:] == images:
        return
    rows: list[tuple[str, Iterable[str]]] = []
    with ThreadPoolExecutor() as executor:  # masks are decoded without the interpreter lock
        for dataset in datasets:
            rows += executor.map(partial(_shown, dataset, names), range(len(dataset)))
    write_rows([*rows, *((name, shown(name)) for name in others)], file)


def write_rows(rows: Iterable[tuple[str, Iterable[str]]], file: Path) -> None:
    """Writes a file for `data.image_labels`.

    Args:
        rows: the name of each image, and the classes that it shows.
        file: `.csv`.
    """
    lines = [f"{image},{';'.join(classes)}\n" for image, classes in rows]
    atomic.write_text(file, "".join(["image,classes\n", *lines]))


def _shown(dataset: Dataset, names: Sequence[str], index: int) -> tuple[str, list[str]]:
    pixels = np.bincount(dataset.mask(index).ravel(), minlength=len(names))
    present = [name for name, count in zip(names, pixels, strict=False) if count > 0]
    return dataset.names[index], [name for name in present if name != BACKGROUND]
