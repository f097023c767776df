"""Writes masks in the formats of labeling tools, where a person can correct them."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fewmask.batch import IGNORE
from fewmask.data.annotations.annotation import is_background, of_objects
from fewmask.data.annotations.formats import SUFFIXES, WRITERS
from fewmask.data.annotations.objects import Labeled
from fewmask.data.classes import Classes
from fewmask.data.label_table import LabelTable
from fewmask.data.masks import read_mask
from fewmask.data.own_files import OwnFiles
from fewmask.errors import UserError


class Masked(NamedTuple):
    """A photo and its mask."""

    photo: Path
    mask: Path
    name: str
    """The photo's file name with its folders, as a labeling tool is to know it."""


def require_formats(formats: Sequence[str]) -> None:
    """Refuses a format that cannot be written.

    Raises:
        UserError: for such a format.
    """
    for one in formats:
        if one not in WRITERS:
            raise UserError(f"--annotations={one}: expected {', '.join(WRITERS)}.")


def require_distinct(masked: Sequence[Masked]) -> None:
    """Refuses photos that the formats cannot tell apart.

    Raises:
        UserError: for two photos whose names differ in the suffix only.
    """
    first: dict[PurePosixPath, str] = {}
    for one in masked:
        other = first.setdefault(PurePosixPath(one.name).with_suffix(""), one.name)
        if other != one.name:
            raise UserError(
                f"{other} and {one.name} differ only in the suffix, and annotations come back as "
                "masks by the name without it. Rename one of them, or leave out --annotations."
            )


def export_annotations(
    masked: Sequence[Masked],
    classes: Classes,
    folder: Path,
    formats: Sequence[str],
    part: str,
    tell: Callable[[str], None] = print,
) -> list[Path]:
    """Writes annotations of all classes but the background; pixels without a label have none.

    Masks are read one by one, so that they need not fit into memory together.

    Args:
        masked: photos with masks. A photo whose mask is missing is left out.
        classes: of the masks, with the values that stand for them.
        folder: to write to.
        formats: of `WRITERS`.
        part: what to add to the names of files, if several machines write into the folder.
        tell: is told which files are kept, as they were changed since fewmask wrote them.

    Returns:
        The files and folders written.

    Raises:
        UserError: for a mask that cannot be read or holds other values, or if the folder cannot be
            written to.
    """
    names = {
        label: name.strip() for label, name in enumerate(classes.names) if not is_background(name)
    }
    own, written = OwnFiles(folder, tell), []
    for one in formats:
        suffix = SUFFIXES.get(one)
        target = folder / (one if suffix is None else f"{one}{part}{suffix}")
        if suffix is not None and not own.may_write(target):
            continue
        try:
            WRITERS[one](_labeled(masked, classes), names, target, own)
        except OSError as error:
            raise UserError(f"Cannot write to {folder}: {error}") from None
        written.append(target)
    return written


def way_back(classes: Classes) -> str:
    """The command that makes the same masks of a labeling tool's export.

    Tools know the names of classes only, not the values that stand for them. Pixels outside all
    objects are background, or get no label if no class is one.
    """
    pairs = [*zip(classes.names, classes.values, strict=True)]
    names = ",".join(of_objects(classes.names))
    outside = next((value for name, value in pairs if is_background(name)), None)
    if outside is None:
        outside = classes.with_no_label().no_label
    values = [outside, *(value for name, value in pairs if not is_background(name))]
    words = f"fewmask import EXPORT --out MASKS --names {shlex.quote(names)}"
    if values == [*range(len(values))]:
        return words
    return f"{words} --values {','.join(map(str, values))}"


def _labeled(masked: Sequence[Masked], classes: Classes) -> Iterator[Labeled]:
    mapping = {value: label for label, value in enumerate(classes.values)}
    no_label = IGNORE if classes.no_label is None else classes.no_label
    advice = "Correct it, or delete it and predict again."
    table = LabelTable(len(classes), mapping, (no_label,), advice=advice)
    for photo, mask, name in masked:
        if mask.is_file():
            labels = table.to_labels(read_mask(mask), mask)
            yield Labeled(photo, name, labels, mask.stat().st_mtime_ns)
