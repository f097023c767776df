"""The formats of labeling tools that can be read and written."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fewmask.data.annotations import coco, cvat, labelme, labelstudio, labelstudio_tasks, via, yolo
from fewmask.data.annotations.annotation import Export
from fewmask.data.annotations.objects import Labeled
from fewmask.data.annotations.source import Source
from fewmask.data.decoding import TooLarge
from fewmask.data.own_files import OwnFiles
from fewmask.errors import UserError

FORMATS: dict[str, Callable[[Source], Export | None]] = {
    "a COCO .json": coco.read,
    "a CVAT .xml": cvat.read,
    "a Label Studio .json": labelstudio.read,
    "a VIA .json": via.read,
    "a YOLO folder with labels/*.txt": yolo.read,
    "a folder of LabelMe .json files": labelme.read,
}
"""What an export is, and its reader, which returns None for another format. A new format is one
file and a line here. A reader may raise ValueError, KeyError and the like for a damaged export."""

Writer = Callable[[Iterable[Labeled], Mapping[int, str], Path, OwnFiles], None]
"""Writes photos, one of which is in memory at a time, and the names of their classes by label, to a
file or a folder, and notes what it wrote."""

WRITERS: dict[str, Writer] = {
    "coco": coco.write,
    "cvat": cvat.write,
    "labelme": labelme.write,
    "labelstudio": labelstudio_tasks.write,
}
"""The formats by the names that users give them, and their writers."""
SUFFIXES = {"coco": ".json", "cvat": ".xml", "labelstudio": ".json"}
"""Of the formats that are one file. The others are a folder of files."""


def read_annotations(source: Source) -> Export:
    """The annotations of an export, image by image, and the classes that it declares.

    Raises:
        UserError: if the format is unknown, or the export is damaged.
    """
    if not source.path.exists():
        raise UserError(f"There is no file or folder {source.path}.")
    try:
        for read in FORMATS.values():
            if (export := read(source)) is not None:
                return export._replace(annotations=[*export.annotations])
    except (
        OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError,
        RecursionError, MemoryError,
    ) as error:  # fmt: skip
        # A ValueError of our readers is a sentence; others name a missing key or a broken file.
        kind = "" if type(error) in (ValueError, TooLarge) else f"{type(error).__name__} "
        again = " Export them again." if kind else ""
        raise UserError(
            f"Cannot read the annotations in {source.path}: {kind}{error}.{again}"
        ) from None
    *others, last = FORMATS
    raise UserError(f"{source.path}: expected {', '.join(others)}, or {last}.")
