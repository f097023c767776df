"""Files by folder, list and name: what stands where, and one clear error when it does not."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fewmask.data.dataset import IMAGE_SUFFIXES, Files
from fewmask.errors import UserError


def list_images(place: Path) -> list[Path]:
    """The image files of a folder (with subfolders, sorted) or of a .txt list.

    Raises:
        UserError: if there is no such place, no image in it, or a listed file is missing.
    """
    if place.is_dir():
        files = sorted(f for f in place.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise UserError(f"{place} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
        return files
    if not place.exists():
        raise UserError(f"There is no folder or list {place}. Set data.root or data.images.")
    files = [place.parent / line for line in read_list(place)]
    for file in files:
        if not file.is_file():
            raise UserError(f"{place} lists {file}, but there is no such file.")
    return files


def read_list(file: Path) -> list[str]:
    """The lines of a .txt list, without blank ones and `#` comments.

    Raises:
        UserError: if the file is missing, empty, no text, or names something twice.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the list {file}: {error}") from None
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise UserError(f"The list {file} is empty; expected one name a line.")
    if len(set(lines)) < len(lines):
        twice = next(line for i, line in enumerate(lines) if line in lines[:i])
        raise UserError(f"The list {file} names '{twice}' twice; name each image once.")
    return lines


def pick_names(wanted: Sequence[str], files: Files, source: Path) -> list[int]:
    """Positions of listed names; a line may be a name, a file name or a path.

    Raises:
        UserError: for a line without an image.
    """
    by_name = {name: i for i, name in enumerate(files.names)}
    by_stem = {file.stem: i for i, file in enumerate(files.images)}
    picked = []
    for line in wanted:
        index = by_name.get(line, by_name.get(str(Path(line).with_suffix(""))))
        index = by_stem.get(Path(line).stem) if index is None else index
        if index is None:
            raise UserError(
                f"{source} lists '{line}', but there is no such image. Names look like "
                f"'{files.names[0]}'."
            )
        picked.append(index)
    return picked


def unique_names(files: Sequence[Path], base: Path) -> list[str]:
    """One name per file: its path below `base`, with its suffix where two would else be equal."""
    stems = [stem(file, base) for file in files]
    count = Counter(stems)
    return [
        name if count[name] == 1 else name + file.suffix
        for name, file in zip(stems, files, strict=True)
    ]


def stem(file: Path, base: Path) -> str:
    """A file's path below a folder, without suffix, with forward slashes."""
    inside = file.relative_to(base) if file.is_relative_to(base) else file
    return inside.with_suffix("").as_posix()


def masks_by_stem(masks: Path) -> dict[str, Path]:
    """Masks by their path below the folder, without suffix."""
    found: dict[str, Path] = {}
    for mask in sorted(f for f in masks.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES):
        name = stem(mask, masks)
        if name in found:
            raise UserError(f"Two masks for one image: {found[name]} and {mask}. Keep one of them.")
        found[name] = mask
    return found
