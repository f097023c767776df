"""Files by folder, list and name: what stands where, and one clear error when it does not."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fewmask.data.files import Files
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.data.lists.published import image_id, read_lines
from fewmask.errors import UserError


def files_below(folder: Path) -> list[Path]:
    """All files of a folder and its subfolders, sorted, links followed; hidden ones are left out.

    Raises:
        UserError: for a name that no list could hold.
    """
    found, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        where = os.path.realpath(place)
        folders[:] = [] if where in seen else [n for n in folders if not n.startswith(".")]
        if where not in seen:  # a link to a folder above would go on for ever
            found += [Path(place, name) for name in names if not name.startswith(".")]
        seen.add(where)
    for file in found:
        if not file.name.isprintable():  # a line break, or bytes that are no UTF-8
            raise UserError(
                f"The file name {file.name!r} in {file.parent} holds characters that cannot be "
                "written into a list. Rename it."
            )
    return sorted(found)


UNREAD_SUFFIXES = {
    ".gif", ".jp2", ".heic", ".heif", ".avif", ".jfif", ".jxl", ".ppm", ".pgm", ".tga", ".exr",
    ".psd", ".svg", ".pdf", ".raw", ".dng", ".nef", ".cr2", ".arw", ".npy", ".mat", ".hdr",
}  # fmt: skip
"""Of files that somebody may take for images, and that are not read."""


def unread_pictures(folder: Path) -> list[Path]:
    """The files of a folder that are pictures, but of kinds that are not read."""
    return [file for file in files_below(folder) if file.suffix.lower() in UNREAD_SUFFIXES]


def list_images(place: Path) -> list[Path]:
    """The image files of a folder (with subfolders, sorted) or of a .txt list.

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
    files = [place.parent / line for line in read_lines(place)]
    for file in files:
        if not file.is_file():
            raise UserError(f"{place} lists {file}, but there is no such file.")
    return files


def pick_names(wanted: Sequence[str], files: Files, source: Path | str) -> list[int]:
    """Positions of listed images; a line may be a name, a file name, a path, or a published form.

    Raises:
        UserError: for a line without an image, or two lines for one image.
    """
    by_name = {name: i for i, name in enumerate(files.names)}
    by_id = {image_id(name): i for name, i in by_name.items()}
    count = Counter(map(image_id, files.names))
    picked: dict[int, str] = {}
    for line in wanted:
        index = by_name.get(line, by_name.get(without_suffix(line)))
        if index is None:
            index = by_id.get(image_id(line))
            if index is not None and not _may_be(line, files.names[index]):
                index = None
        if index is None:
            raise UserError(
                f"{source} lists '{line}', but there is no such image. Names look like "
                f"'{files.names[0]}'."
            )
        if line not in by_name and count[image_id(line)] > 1:
            raise UserError(
                f"{source} lists '{line}', but several images have that name; write "
                f"it with its folder, like '{files.names[index]}'."
            )
        if index in picked:
            raise UserError(
                f"{source} lists one image twice: '{picked[index]}' and '{line}'. Keep one."
            )
        picked[index] = line
    return list(picked)


def _may_be(line: str, name: str) -> bool:
    """Whether a line can mean an image whose name has other folders in front, or none."""
    path = without_suffix(line.split()[0] if line.endswith(".png") else line)
    bare, wanted = image_id(line), path.rpartition("/")[0]
    own = name.rpartition("/")[0]
    return not wanted or not own or f"/{wanted}".endswith(f"/{own}") or bare == name


def unique_names(files: Sequence[Path], base: Path) -> list[str]:
    """One name per file: its path below `base`, with its suffix where two would else be equal."""
    stems = [stem(file, base) for file in files]
    count = Counter(stems)
    return [
        name if count[name] == 1 else name + file.suffix
        for name, file in zip(stems, files, strict=True)
    ]


def without_suffix(line: str) -> str:
    """A name without its image suffix, if it has one."""
    suffix = Path(line).suffix
    return line.removesuffix(suffix) if suffix.lower() in IMAGE_SUFFIXES else line


def stem(file: Path, base: Path) -> str:
    """A file's path below a folder, without suffix, with forward slashes."""
    inside = file.relative_to(base) if file.is_relative_to(base) else file
    return inside.with_suffix("").as_posix()


def masks_by_stem(masks: Path) -> dict[str, Path]:
    """Masks by their path below the folder, without suffix."""
    found: dict[str, Path] = {}
    for mask in (f for f in files_below(masks) if f.suffix.lower() in IMAGE_SUFFIXES):
        name = stem(mask, masks)
        if name in found:
            raise UserError(f"Two masks for one image: {found[name]} and {mask}. Keep one of them.")
        found[name] = mask
    return found
