"""Imports the export of a labeling tool: one mask per annotated image."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fewmask.data.annotations.annotation import Annotation
from fewmask.data.annotations.drawing import draw_mask
from fewmask.data.annotations.formats import read_annotations
from fewmask.data.convert import save_mask
from fewmask.errors import UserError

BACKGROUND = "background"


class Imported(NamedTuple):
    """What was drawn."""

    classes: list[str]
    """Names of all classes, background first."""
    drawn: dict[str, int]
    """The number of shapes drawn, by image stem."""
    left_out: Counter[str]
    """The number of shapes that were not drawn, by kind."""


def import_masks(
    source: Path, out: Path, names: Sequence[str] = (), overwrite: bool = False
) -> Imported:
    """Draws masks from an export. Nothing is written before all of it is understood.

    Args:
        source: a COCO JSON file, a CVAT XML file, or a folder of LabelMe JSON files.
        out: the folder for the masks, one PNG per annotated image.
        names: the classes after the background, in order. By default those found, sorted.
        overwrite: whether existing masks may be replaced.

    Raises:
        UserError: if the format is unknown, the export is damaged, it has a class that is not in
            `names`, or a mask exists already.
    """
    annotations = read_annotations(source)
    if not annotations:
        raise UserError(f"{source} annotates no image.")
    classes = _classes(source, annotations, names)
    _require_free(source, annotations, out, overwrite)
    for one in annotations:
        save_mask(draw_mask(one, classes), out / f"{one.stem}.png")
    drawn = {one.stem: len(one.shapes) for one in annotations}
    return Imported(classes, drawn, Counter(kind for one in annotations for kind in one.left_out))


def _classes(source: Path, annotations: Sequence[Annotation], names: Sequence[str]) -> list[str]:
    found = sorted({shape.name for one in annotations for shape in one.shapes} - {BACKGROUND})
    classes = [BACKGROUND, *(names or found)]
    foreign = [name for name in found if name not in classes]
    if foreign:
        raise UserError(
            f"{source} has objects called '{foreign[0]}', which --names leaves out. Names there: "
            f"{', '.join(found)}."
        )
    if len(classes) > 255:
        raise UserError(f"{source} has {len(classes)} classes, but a mask can hold only 255.")
    return classes


def _require_free(
    source: Path, annotations: Sequence[Annotation], out: Path, overwrite: bool
) -> None:
    """No two annotations may share a mask, and none may exist already."""
    count = Counter(one.stem for one in annotations)
    twice = [stem for stem, times in count.items() if times > 1]
    if twice:
        raise UserError(f"{source} annotates two images called '{twice[0]}'.")
    existing = [one.stem for one in annotations if (out / f"{one.stem}.png").exists()]
    if existing and not overwrite:
        raise UserError(
            f"{len(existing)} of these masks are in {out} already (first: {existing[0]}.png). Give "
            "another --out, or --overwrite to replace them."
        )
