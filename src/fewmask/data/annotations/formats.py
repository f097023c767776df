"""The formats of labeling tools that can be imported."""

from collections.abc import Callable, Iterator
from pathlib import Path

from fewmask.data.annotations import coco, cvat, labelme
from fewmask.data.annotations.annotation import Annotation
from fewmask.errors import UserError

FORMATS: dict[str, Callable[[Path], Iterator[Annotation] | None]] = {
    "a COCO .json": coco.read,
    "a CVAT .xml": cvat.read,
    "a folder of LabelMe .json files": labelme.read,
}
"""What an export is, and its reader, which returns None for another format. A new format is one
file and a line here. A reader may raise ValueError, KeyError and the like for a damaged export."""


def read_annotations(source: Path) -> list[Annotation]:
    """The annotations of an export, image by image.

    Raises:
        UserError: if the format is unknown, or the export is damaged.
    """
    try:
        for read in FORMATS.values():
            if (annotations := read(source)) is not None:
                return list(annotations)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"Cannot read the annotations in {source}: {type(error).__name__} {error}. Export them "
            "again."
        ) from None
    *others, last = FORMATS
    raise UserError(f"{source}: expected {', '.join(others)}, or {last}.")
