"""Predictions as annotations that labeling tools read, made from the masks in their folder."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from fewmask.data.annotations.exporting import (
    Masked,
    export_annotations,
    require_distinct,
    require_formats,
    way_back,
)
from fewmask.report.prediction_folder import PredictionFolder

ANNOTATIONS = "annotations"
"""The folder for the formats of labeling tools."""


def photos_to_annotate(
    folder: PredictionFolder, photos: Iterable[tuple[Path, str]], formats: Sequence[str]
) -> list[Masked]:
    """The photos as labeling tools are to know them; none without a format.

    Args:
        folder: of the predictions, which need not be there yet.
        photos: the file of each, and the name of its prediction.
        formats: of labeling tools.

    Raises:
        UserError: for an unknown format, if two photos cannot be told apart, or if the folder for
            the formats is a link to somewhere else.
    """
    require_formats(formats)
    if not formats:
        return []
    folder.own.require_inside(folder.folder / ANNOTATIONS)
    found = [
        # A tool looks for the file itself, whose name is longer than that of its mask.
        Masked(file, folder.full_mask(name), str(PurePosixPath(name).with_name(file.name)))
        for file, name in photos
    ]
    require_distinct(found)
    return found


def write_annotations(
    folder: PredictionFolder,
    photos: Sequence[Masked],
    formats: Sequence[str],
    tell: Callable[[str], None],
    share: tuple[int, int] = (0, 1),
) -> None:
    """Writes the annotations of photos anew, from their masks.

    So they are complete, whichever masks an interrupted call had written before, and hold what was
    edited by hand.

    Args:
        folder: holds the predictions of all photos.
        photos: from `photos_to_annotate`.
        formats: of labeling tools.
        tell: is told what was written, and how it comes back.
        share: (k, n) if this is the k-th of n processes that write to the folder, counted from 0.
    """
    if not formats:
        return
    index, shares = share
    part = "" if shares == 1 else f"-{index + 1}-of-{shares}"
    place = folder.folder / ANNOTATIONS
    for file in export_annotations(photos, folder.classes, place, formats, part, tell):
        tell(f"Annotations for a labeling tool: {file}")
    tell(f"When they are corrected and exported there: {way_back(folder.classes)}")
