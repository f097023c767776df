"""YOLO: outlines in a text file for each image, in folders called labels, and a file of names."""

from pathlib import Path

import numpy as np

from fewmask.atomic import NotText, read_text
from fewmask.config import read_yaml
from fewmask.data.annotations.annotation import Annotation, Export, Shape, annotation, stem_of
from fewmask.data.annotations.source import Source
from fewmask.data.image_files import files_below

LABELS = "labels"
NAMES = ("data.yaml", "data.yml", "classes.txt")
"""Files that name the classes: in the folder, in its labels, or in the folder above."""
SLACK = 0.01
"""How far an outline may reach beyond the image, as a share of its size."""


def read(source: Source) -> Export | None:
    """The annotations of a folder, file by file; None for another format.

    Raises:
        UserError: if the file of names cannot be read, or a photo is missing.
    """
    if not source.path.is_dir():
        return None
    folder = source.path.resolve()
    root = folder.parent if folder.name == LABELS else folder
    found = files_below(folder)
    files = [
        file
        for file in found
        if file.suffix == ".txt"
        and LABELS in file.relative_to(root).parts[:-1]
        and file.name not in NAMES
    ]
    if not files:
        return None
    places = dict.fromkeys([folder, root, root / LABELS, root.parent])
    file_of_names = next((p / n for p in places for n in NAMES if (p / n).is_file()), None)
    if file_of_names is None:
        if any(file.suffix == ".json" for file in found):  # of LabelMe, with notes beside them
            return None
        raise ValueError(f"there is no data.yaml or classes.txt in {root} that names the classes")
    names = _names(file_of_names)
    return Export(
        [_annotation(file, root, names, source) for file in files],
        [names[number] for number in sorted(names)],
    )


def _names(file: Path) -> dict[int, str]:
    """The names of the classes by their numbers."""
    if file.suffix == ".txt":
        return {number: line for number, line in enumerate(_lines(file)) if line.strip()}
    content = read_yaml(file)
    if "kpt_shape" in content:
        raise ValueError(f"{file.name} has kpt_shape: this is a data set of keypoints")
    names = content.get("names")
    if not isinstance(names, list | dict):
        raise ValueError(f"{file.name} has no list of names")
    named = names.items() if isinstance(names, dict) else enumerate(names)
    return {int(number): str(name) for number, name in named}


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        raise ValueError(f"{file.name} is not a file")
    try:
        return read_text(file, "utf-8-sig").splitlines()
    except NotText:
        raise ValueError(f"{file.name} is not a text file") from None


def _annotation(file: Path, root: Path, names: dict[int, str], source: Source) -> Annotation:
    below = [part for part in file.relative_to(root).parts if part != LABELS]
    name = "/".join(below)
    lines = _lines(file)
    size = source.photos.size(stem_of(name)) if any(map(str.strip, lines)) else (0, 0)
    shapes = []
    for number, line in enumerate(lines, 1):
        try:
            shapes += [_shape(line.split(), names, size)] if line.strip() else []
        except ValueError as error:
            raise ValueError(f"line {number} of {file.relative_to(root)}: {error}") from None
    return annotation(name, *size, shapes)


def _shape(words: list[str], names: dict[int, str], size: tuple[int, int]) -> Shape | str:
    """The outline in a row: the number of its class, then x and y as shares of the image's size."""
    values = np.array(words[1:], float)
    if len(values) == 4:
        return "box without an outline"
    if len(values) < 6 or len(values) % 2:
        raise ValueError(
            f"{len(values)} numbers after the class. Expected x y, three times or more"
        )
    if not ((values >= -SLACK) & (values <= 1 + SLACK)).all():
        raise ValueError("coordinates that are not shares of the image, 0 to 1")
    if float(words[0]) not in names:
        raise ValueError(f"class {words[0]}, but only {len(names)} classes have names")
    return Shape(names[int(float(words[0]))], values.reshape(-1, 2) * size)
