"""Finds image files in folders and lists, and names them."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.data.lists.reading import read_lines
from fewmask.errors import UserError


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and its subfolders, sorted, except hidden ones. Links are followed.

    Raises:
        UserError: for a file name that cannot be a line of a list.
    """
    found, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        where = os.path.realpath(place)
        folders[:] = [] if where in seen else [n for n in folders if not n.startswith(".")]
        if where not in seen:  # a link to a folder above would never end
            found += [Path(place, name) for name in names if not name.startswith(".")]
        seen.add(where)
    for file in found:
        if not file.name.isprintable():  # a line break, or bytes that are not UTF-8
            raise UserError(
                f"The file name {file.name!r} in {file.parent} holds characters that cannot be "
                "written into a list. Rename it."
            )
    return sorted(found)


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
    files = [place.parent / line for line in read_lines(place)]
    for file in files:
        if not file.is_file():
            raise UserError(f"{place} lists {file}, but there is no such file.")
    return files


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


def masks_by_stem(masks: Path) -> dict[str, Path]:
    """Masks by their path below the folder, without suffix.

    Raises:
        UserError: if two masks have the same path but for the suffix, or a name cannot be listed.
    """
    found: dict[str, Path] = {}
    for mask in (f for f in files_below(masks) if f.suffix.lower() in IMAGE_SUFFIXES):
        name = stem(mask, masks)
        if name in found:
            raise UserError(f"Two masks for one image: {found[name]} and {mask}. Keep one of them.")
        found[name] = mask
    return found
