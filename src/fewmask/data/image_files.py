"""Finds image files in folders and lists, and names them."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from fewmask.data.affixes import NO_AFFIXES, Affixes
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.data.lists.reading import read_lines
from fewmask.data.masks import MASK_SUFFIXES
from fewmask.errors import UserError

MADE_BY = "made_by.json"
"""The file that names the weights and the threshold behind the predictions of a folder."""
PREDICTIONS = ("masks", "overlays", "confidence", "full", "unsure", "downloaded")
"""The folders beside it, which hold no photos of the user."""


def without_predictions(files: Iterable[Path]) -> list[Path]:
    """The files that do not lie in a folder of fewmask's own predictions."""
    files, known = list(files), {}
    for folder in {file.parent for file in files}:
        place = Path(os.path.abspath(folder))
        known[folder] = any(
            above.name in PREDICTIONS and (above.parent / MADE_BY).is_file()
            for above in (place, *place.parents)
        )
    return [file for file in files if not known[file.parent]]


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and its subfolders, sorted, except hidden ones. Links are followed.

    Raises:
        UserError: for a name that cannot be a line of a list.
    """
    found, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        where = os.path.realpath(place)
        folders[:] = [] if where in seen else [n for n in folders if not n.startswith(".")]
        if where not in seen:  # a link to a folder above would never end
            found += [Path(place, name) for name in names if not name.startswith(".")]
        seen.add(where)
    for file in found:
        require_listable(file, folder)
    return sorted(found)


def require_listable(file: Path, folder: Path) -> None:
    """Makes sure that the path of a file below a folder can be a line of a list.

    Raises:
        UserError: if it cannot.
    """
    name = file.relative_to(folder).as_posix()
    bare = name.removesuffix(file.suffix)
    # A line break, or bytes that are not UTF-8; or what a reader of lists takes for a comment, or
    # for blanks around a name.
    if not name.isprintable() or bare != bare.strip() or bare.startswith("# "):
        raise UserError(
            f"The file name {name!r} in {folder} holds characters that cannot be written into a "
            "list. Rename it."
        )


UNREAD_SUFFIXES = {
    ".gif", ".jp2", ".heic", ".heif", ".avif", ".jfif", ".jxl", ".ppm", ".pgm", ".tga", ".exr",
    ".psd", ".svg", ".pdf", ".raw", ".dng", ".nef", ".cr2", ".arw", ".npy", ".mat", ".hdr",
}  # fmt: skip
"""Picture formats that fewmask does not read. `fewmask check` names such files."""


def unread_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder whose format is not read."""
    return [file for file in files_below(folder) if file.suffix.lower() in UNREAD_SUFFIXES]


def list_images(place: Path) -> list[Path]:
    """The image files in a folder (with subfolders, sorted) or in a .txt list.

    Raises:
        UserError: if there is no such place, no image in it, or a listed file is missing.
    """
    if place.is_dir():
        files = [f for f in files_below(place) if f.suffix.lower() in IMAGE_SUFFIXES]
        if not files:
            raise UserError(f"{place} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
        return files
    if not place.exists():
        raise UserError(f"There is no folder or list {place}. Set data.root or data.images.")
    # Paths in a list start from the folder of the list.
    return [_listed(place, line) for line in read_lines(place)]


def _listed(place: Path, line: str) -> Path:
    """The file that a line of a list means; on Windows, paths have backslashes."""
    slashed = line.replace("\\", "/")
    for written in (line, slashed, slashed.partition(" ")[0]):  # or image and mask
        if (place.parent / written).is_file():
            return place.parent / written
    raise UserError(f"{place} lists {place.parent / line}, but there is no such file.")


def unique_names(files: Sequence[Path], base: Path) -> list[str]:
    """A name for each file: its path below `base`, with its suffix where two would be equal.

    Args:
        files: any files.
        base: the folder that the names start from. Other files keep their whole path.
    """
    stems = [stem(file, base) for file in files]
    count = Counter(stems)
    return [
        name if count[name] == 1 else name + file.suffix
        for name, file in zip(stems, files, strict=True)
    ]


def stem(file: Path, base: Path) -> str:
    """A file's path below a folder, without its suffix, with forward slashes."""
    inside = file.relative_to(base) if file.is_relative_to(base) else file
    return inside.with_suffix("").as_posix()


def masks_by_stem(
    masks: Path, affixes: Affixes = NO_AFFIXES, without: AbstractSet[Path] = frozenset()
) -> dict[str, Path]:
    """Masks by what counts of their path below the folder, without the extension.

    Args:
        masks: the folder.
        affixes: beginnings and ends of names that do not count. Files without them are no masks.
        without: files that are images.

    Raises:
        UserError: if two masks have the same path but for the extension, or a name cannot be
            listed.
    """
    found: dict[str, Path] = {}
    for mask in files_below(masks):
        if mask.suffix.lower() not in MASK_SUFFIXES or mask in without:
            continue
        name = affixes.of_mask(stem(mask, masks))
        if name in found:
            raise UserError(f"Two masks for one image: {found[name]} and {mask}. Keep one of them.")
        if name is not None:
            found[name] = mask
    return found
