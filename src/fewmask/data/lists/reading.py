"""Reads lists of image names, and finds the images that their lines mean."""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from fewmask.atomic import read_bytes
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.errors import UserError

# "JPEGImages/2007_000032.jpg SegmentationClass/2007_000032.png": an image and its mask.
_PAIR = re.compile(r"(\S+\.(?:jpg|jpeg|png))\s+(\S+\.png)", re.IGNORECASE)
# What COCO 2014 and Cityscapes add to the id of an image.
_DECORATION = re.compile(r"^COCO_(?:train|val)2014_|_leftImg8bit$")
LONGEST = 200
"""Characters of a line that a message shows."""


def read_lines(file: Path) -> Sequence[str]:
    """The lines of a .txt list, without blank lines and comments (`#` before a space, or alone).

    Raises:
        UserError: if the file is missing, empty or not text, or names an image twice.
    """
    lines = [line.strip() for line in read_text(file).splitlines()]
    lines = [line for line in lines if line and line.split()[0] != "#"]
    if not lines:
        raise UserError(f"The list {file} is empty. Write one image name per line.")
    if len(set(lines)) < len(lines):
        twice = next(line for line, count in Counter(lines).items() if count > 1)
        raise UserError(f"The list {file} names '{_short(twice)}' twice. Name each image once.")
    return lines


def read_text(file: Path) -> str:
    """The text of a list, in UTF-8 or in the UTF-16 that Windows marks at its beginning."""
    try:
        if file.exists() and not file.is_file():  # a pipe would be waited for without end
            raise OSError(0, "it is not a file")
        content = read_bytes(file)
    except OSError as error:
        hint = " Paths start from data.root." * file.name.endswith(".txt")
        raise UserError(f"Cannot read the list {file}: {error.strerror}.{hint}") from None
    has_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if has_mark else "utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(
            f"The list {file} is not UTF-8 text. Save it as UTF-8 (an option of every editor)."
        ) from None


def image_id(line: str) -> str:
    """The id of an image, from a line of any published list format.

    Example:
        image_id("JPEGImages/2007_000032.jpg SegmentationClass/2007_000032.png")  # 2007_000032
        image_id("leftImg8bit/train/ulm/ulm_000079_000019_leftImg8bit.png")  # ulm_000079_000019
        image_id("train2017/000000177254")  # 000000177254
    """
    pair = _PAIR.fullmatch(line)
    file = (pair[1] if pair else line).rpartition("/")[2]
    return _DECORATION.sub("", re.sub(r"\.(jpg|jpeg|png)$", "", file, flags=re.IGNORECASE))


def match_names(lines: Sequence[str], names: Sequence[str], source: Path | str) -> list[int]:
    """The positions of listed images among all names.

    Args:
        lines: each may be a name, a file name, a path, or a line of a published list.
        names: of the images.
        source: where the lines come from, for messages.

    Raises:
        UserError: for a line without an image, or two lines for one image.
    """
    by_name = {_usual(name): i for i, name in enumerate(names)}
    by_name |= {name: i for i, name in enumerate(names)}
    by_id: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        by_id.setdefault(image_id(name), []).append(place)
    matched: dict[int, str] = {}
    for line in (line if line in by_name else _usual(line) for line in lines):
        exact = by_name.get(line, by_name.get(without_suffix(line)))
        # By id, a line also means an image whose folder or suffix is written differently.
        meant = by_id.get(image_id(line), []) if exact is None else [exact]
        index = _only_one(line, [i for i in meant if i == exact or _may_be(line, names[i])], names)
        if index is None:
            raise UserError(
                f"{source} lists '{_short(line)}', but there is no such image. Names look like "
                f"'{names[0]}'."
            )
        if index < 0:
            raise UserError(
                f"{source} lists '{_short(line)}', but several images have that name. Write "
                f"it with its folder, like '{names[meant[0]]}'."
            )
        _require_own_mask(line, index, by_id, source)
        if index in matched:
            raise UserError(
                f"{source} lists one image twice: '{matched[index]}' and '{line}'. Keep one."
            )
        matched[index] = line
    return list(matched)


def _require_own_mask(
    line: str, index: int, by_id: Mapping[str, list[int]], source: Path | str
) -> None:
    """Refuses a line of an image with the mask of another one."""
    pair = _PAIR.fullmatch(line)
    if pair and by_id.get(image_id(pair[2]), [index]) != [index]:
        raise UserError(
            f"{source} lists '{_short(line)}', but {pair[2]} is the mask of another image. Masks "
            "are found by their names: rename them, or write the image alone into each line."
        )


def _short(line: str) -> str:
    """A line of a list for a message: of a file that is no list, it may be all there is."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _only_one(line: str, meant: Sequence[int], names: Sequence[str]) -> int | None:
    """The image that a line means; None if there is none, -1 if there are several."""
    if len(meant) > 1:
        path = f"/{without_suffix(line)}"
        meant = [i for i in meant if path.endswith(f"/{without_suffix(names[i])}")] or meant
    return (meant[0] if len(meant) == 1 else -1) if meant else None


def _usual(line: str) -> str:
    """A line without the ways of Windows (backslashes) and of Macs (letters of two signs)."""
    return unicodedata.normalize("NFC", line.replace("\\", "/"))


def _may_be(line: str, name: str) -> bool:
    """Whether a line can mean an image: the folders of the two must agree as far as both go."""
    path = without_suffix(line.split()[0] if line.endswith(".png") else line)
    bare, wanted = image_id(line), path.rpartition("/")[0]
    own = name.rpartition("/")[0]
    return not wanted or not own or f"/{wanted}".endswith(f"/{own}") or bare == name


def without_suffix(line: str) -> str:
    """A name without its image suffix, if it has one."""
    suffix = Path(line).suffix
    return line.removesuffix(suffix) if suffix.lower() in IMAGE_SUFFIXES else line
