"""Imports the export of a labeling tool: one mask per annotated image."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fewmask import atomic
from fewmask.data.annotations.annotation import BACKGROUND, Annotation, Export, of_objects
from fewmask.data.annotations.drawing import draw_mask
from fewmask.data.annotations.formats import read_annotations
from fewmask.data.annotations.source import Source
from fewmask.data.classes import require_names
from fewmask.data.convert import save_mask
from fewmask.data.lists.reading import read_text
from fewmask.data.own_files import OwnFiles
from fewmask.errors import MANY, UserError, listed

NAMES = "names.txt"
"""Beside imported masks: their classes, one a line, so that another import numbers them alike."""
VALUES = "values.txt"
"""Beside them: the values of the classes, one a line, if they are not 0, 1, 2 ..."""
SURE = "If they show nothing but background: --empty-is-background."
OUTLINE = "Draw outlines (polygons or brush) in your tool, and export again."


class Imported(NamedTuple):
    """What was drawn."""

    classes: list[str]
    """Names of all classes, background first."""
    drawn: dict[str, int]
    """The number of shapes drawn, by image stem."""
    left_out: Counter[str]
    """The number of shapes that were not drawn, by kind."""
    hidden: list[str]
    """Objects that lie wholly under later ones: class and image."""
    outside: list[str]
    """Objects that cover no pixel of their image: too small, beyond it, or in other units."""
    without_objects: list[str]
    """Stems of the images without any object. They get a mask only if the user says so."""
    notes: Sequence[str]
    """What else the export tells, in sentences."""
    values: list[int]
    """The values of the classes in the masks."""
    undrawn: int
    """The number of images with shapes of which none was drawn. They get no mask."""

    def in_words(self, out: Path) -> list[str]:
        """What was drawn into a folder, and what was not."""
        lines = [f"{len(self.drawn)} mask(s) with {sum(self.drawn.values())} object(s) in {out}"]
        if empty := self.without_objects:
            is_drawn = empty[0] in self.drawn
            lines.append(
                f"{len(empty)} image(s) have no object and "
                + ("are all background" if is_drawn else "get no mask")
                + f" (first: {empty[0]})."
                + ("" if is_drawn else f" {SURE}")
            )
        if self.hidden:
            count, first = len(self.hidden), self.hidden[0]
            lines.append(f"{count} object(s) lie wholly under later ones (first: {first}).")
        if self.outside:
            count, first = len(self.outside), self.outside[0]
            lines.append(
                f"{count} object(s) cover no pixel of their image (first: {first}): too small, "
                "beyond it, or not in pixels."
            )
        if self.left_out:
            kinds = _counted(self.left_out)
            lines.append(
                f"Left out, because they have neither an outline nor pixels: {kinds}."
                + f" {self.undrawn} image(s) with nothing else get no mask." * bool(self.undrawn)
            )
        return [*lines, *self.notes]


def _counted(kinds: Counter[str]) -> str:
    return listed(f"{count} {kind}" for kind, count in kinds.items())


def import_masks(
    source: Path,
    out: Path,
    names: Sequence[str] = (),
    overwrite: bool = False,
    empty_is_background: bool = False,
    values: Sequence[int] = (),
    images: Path | None = None,
    attribute: str = "",
) -> Imported:
    """Draws masks from an export. Nothing is written before all of it is understood.

    Args:
        source: a file or a folder of one of the `FORMATS`.
        out: the folder for the masks, one PNG per annotated image.
        names: the classes after the background, in order. By default those of an earlier import
            into the same folder; else those that the export declares; else those found, sorted.
        overwrite: whether masks of an earlier import may be replaced. Others never are, nor those
            that were changed since.
        empty_is_background: whether an image without objects shows only background. By default
            nobody has looked at it yet, and it gets no mask.
        values: of the background and the classes in the masks. By default those of an earlier
            import into the same folder; else 0, 1, 2 ...
        images: the folder of the photos. Masks get the subfolders of their photos, which also tell
            how large they are where the export does not. By default the folder `images` beside the
            export, else its own folder, and masks have the names in the export.
        attribute: of VIA's regions, the one that names the class, if it cannot be told.

    Raises:
        UserError: if the format is unknown, the export is damaged, it has a class that is not in
            `names` or in the masks that are there, the values are not one for each class, a photo
            is missing, or a mask exists already.
    """
    given = Source(source, images, out, attribute)
    export = read_annotations(given)
    annotations = [*export.annotations]
    if not annotations:
        raise UserError(" ".join([f"{source} annotates no image.", *export.notes]))
    classes = _classes(source, export, names, out)
    left_out = Counter(kind for one in annotations for kind in one.left_out)
    table = _table(classes, values, out)
    # What cannot be drawn is no background, so its image gets no mask.
    drawable = [one for one in annotations if one.shapes or not one.left_out]
    empty = [one.stem for one in drawable if not one.shapes]
    undrawn = len(annotations) - len(drawable)
    annotations = [one for one in drawable if one.shapes or empty_is_background]
    if not annotations:
        raise _nothing(source, left_out)
    annotations = [_beside_photo(one, given) for one in annotations]
    _require_free(source, annotations, out, overwrite)
    own, hidden, outside = OwnFiles(out), list[str](), list[str]()
    for one in annotations:
        labels, covered, nowhere = draw_mask(one, classes)
        hidden += [f"{name} in {one.stem}" for name in covered]
        outside += [f"{name} in {one.stem}" for name in nowhere]
        with own.replacing(out / f"{one.stem}.png") as temporary:
            save_mask(table[labels], temporary)
    _remember(out, classes, table)
    drawn = {one.stem: len(one.shapes) for one in annotations}
    return Imported(
        classes, drawn, left_out, hidden, outside, empty, export.notes, table.tolist(), undrawn
    )


def _nothing(source: Path, left_out: Counter[str]) -> UserError:
    but = f", but {_counted(left_out)}" if left_out else ""
    return UserError(
        f"No image in {source} has an object with an outline or pixels{but}. "
        + (OUTLINE if left_out else SURE)
    )


def _beside_photo(one: Annotation, source: Source) -> Annotation:
    """An annotation with the size and, if the user named the photos, the path of its photo."""
    if one.width < 1 or one.height < 1:
        width, height = source.photos.size(one.stem)
        one = one._replace(width=width, height=height)
    return one._replace(stem=source.photos.find(one.stem)) if source.names_photos else one


def _classes(source: Path, export: Export, names: Sequence[str], out: Path) -> list[str]:
    """The classes, background first, in the order of their labels."""
    found = of_objects(sorted({shape.name for one in export.annotations for shape in one.shapes}))
    names = of_objects(names)
    if len({*names}) < len(names):
        raise UserError(f"--names {_some(names)}: expected each name once.")
    before = _lines(out / NAMES)[1:]
    wanted = names or before or [*dict.fromkeys(of_objects(export.names))] or found
    classes = [BACKGROUND, *wanted]
    foreign = [name for name in found if name not in classes]
    if foreign and not names and before:
        raise UserError(
            f"{out} holds masks with the classes {listed(before)}, and {source} has objects "
            f"called {listed(foreign)}. Give all of them: --names "
            f"{_some([*before, *foreign])}, or another --out."
        )
    if foreign:
        raise UserError(
            f"{source} has objects called {listed(foreign)}, which --names leaves out. All names "
            f"there: --names {_some(found)}."
        )
    if names and before and names[: len(before)] != before:
        raise UserError(
            f"{out} holds masks with the classes {listed(before)}, in this order. Give --names "
            "that begin with them, or another --out."
        )
    require_names(classes)
    return classes


def _some(words: Sequence[object]) -> str:
    """The words as an option takes them; of very many, the first ones."""
    return ",".join(map(str, words[:MANY])) + (f",... ({len(words)} in all)" * (len(words) > MANY))


def _table(classes: Sequence[str], values: Sequence[int], out: Path) -> np.ndarray:
    """The value of each class in the masks, background first."""
    try:
        own = [int(line) for line in _lines(out / VALUES)]
    except ValueError as error:
        raise UserError(f"{out / VALUES} is damaged: {error}. Correct or delete it.") from None
    wanted = [*values] or own or [*range(len(classes))]
    before = own or [*range(len(_lines(out / NAMES)))]
    which = f"--values {_some(wanted)}"
    if len({*wanted} & {*range(2**16)}) < len(classes) or len(wanted) > len(classes):
        raise UserError(
            f"{which}: expected a value for each of {listed(classes)}; no two of them equal, "
            f"and all from 0 to {2**16 - 1}."
        )
    if wanted[: len(before)] != before:
        raise UserError(
            f"{which}: {out} holds masks with the values {listed(before)}. Give "
            "values that begin with them, or another --out."
        )
    return np.array(wanted, np.uint8 if max(wanted) < 256 else np.uint16)


def _remember(out: Path, classes: Sequence[str], table: np.ndarray) -> None:
    """Notes names and values for the next import into the folder."""
    if _lines(out / NAMES) != [*classes]:  # the user's own file may have other line ends
        atomic.write_text(out / NAMES, "".join(f"{name}\n" for name in classes))
    if table.tolist() != [*range(len(classes))]:
        atomic.write_text(out / VALUES, "".join(f"{value}\n" for value in table))


def _lines(file: Path) -> list[str]:
    """What an earlier import noted, background first, or nothing."""
    return read_text(file).splitlines() if file.is_file() else []


def _require_free(
    source: Path, annotations: Sequence[Annotation], out: Path, overwrite: bool
) -> None:
    """No two annotations may share a mask, and none may exist already."""
    count = Counter(one.stem for one in annotations)
    if twice := next((stem for stem, times in count.items() if times > 1), None):
        raise UserError(f"{source} annotates two images called '{twice}'.")
    existing = [stem for stem in count if (out / f"{stem}.png").exists()]
    if existing and not overwrite:
        raise UserError(
            f"{len(existing)} of these masks are in {out} already (first: {existing[0]}.png). Give "
            "another --out, or --overwrite to replace them."
        )
    OwnFiles(out).require_free(*(out / f"{stem}.png" for stem in existing))
