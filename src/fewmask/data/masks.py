"""Reads mask files. What a mask file means is decided here, for training and checks alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from fewmask.data.decoding import count_pages, opened
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.data.mask_arrays import ARRAY_SUFFIXES, read_array, whole_numbers
from fewmask.data.object_masks import mask_parts
from fewmask.errors import UserError

MASK_SUFFIXES = (*IMAGE_SUFFIXES, ".gif", *ARRAY_SUFFIXES)

ORIGIN = "photo"
"""The note in a PNG that fewmask itself predicted: of which photo. Image editors drop it."""
ORIENTATION, NEW_SUBFILE_TYPE, BITS_PER_SAMPLE, PHOTOMETRIC = 0x0112, 254, 258, 262
"""Tags of EXIF and TIFF."""
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
"""Pillow's modes with an alpha channel."""


class Stored(NamedTuple):
    """What a mask file holds."""

    values: np.ndarray
    """[H, W] integers, as they are stored; or colors 0xRRGGBB."""
    is_colored: bool
    mode: str
    palette: Mapping[int, int]
    """The color 0xRRGGBB of each number that occurs; empty if numbers have no colors."""
    is_inverted: bool = False
    """Whether the file says that 0 is white, so that its numbers were inverted."""


def read_mask(file: Path, array: str = "") -> np.ndarray:
    """Reads the numbers of a palette or gray mask, integers [H, W].

    Args:
        file: in a format of `MASK_SUFFIXES`, or a folder of such files, one for each object.
        array: the one that is the mask, if the file holds several arrays.

    Raises:
        UserError: if the file is missing or damaged, cannot be a mask, or its classes are colors.
    """
    stored = read_stored(file, array=array)
    if stored.is_colored:
        raise UserError(
            f"Mask {file} has mode {stored.mode}; expected one number per pixel (palette or "
            "gray, PNG modes P, L). If its colors are the classes, set data.palette: fewmask "
            "check lists the colors."
        )
    return stored.values


def read_colors(file: Path) -> np.ndarray:
    """Reads a mask whose colors are the classes: [H, W] int32, 0xRRGGBB.

    Raises:
        UserError: if the file is missing or damaged, or cannot be a mask.
    """
    return read_stored(file, as_colors=True).values


def read_stored(file: Path, as_colors: bool = False, array: str = "") -> Stored:
    """Reads what a mask file holds: numbers if it has any, else colors.

    Three equal channels are gray, as OpenCV writes it. An alpha channel may only be opaque. Of the
    files in a folder, one for each object, the largest number counts at every pixel.

    Args:
        file: in a format of `MASK_SUFFIXES`, or a folder of such files.
        as_colors: whether the colors are wanted even if there are numbers.
        array: the one that is the mask, if the file holds several arrays.

    Raises:
        UserError: if the file is missing or damaged, or cannot be a mask, such as a JPEG.
    """
    if file.is_dir():
        return _merged(file, array)
    if file.suffix.lower() in ARRAY_SUFFIXES:
        return _from_array(read_array(file, array), as_colors, file)
    with opened(file, "mask") as picture:
        _require_one_sharp_page(picture, file)
        turn = int(picture.getexif().get(ORIENTATION, 1))
        numbers = None if as_colors else _numbers(picture, file)
        if numbers is None:
            colors = _upright(np.asarray(picture.convert("RGB")), turn)
            return Stored(_as_one_number(colors), True, picture.mode, {})
        palette, is_inverted = _palette(picture, numbers), _is_inverted(picture)
        return Stored(_upright(numbers, turn), False, picture.mode, palette, is_inverted)


def _merged(folder: Path, array: str) -> Stored:
    """The numbers of all objects of an image, each in a file of its own."""
    parts = [_object(file, array) for file in mask_parts(folder, MASK_SUFFIXES)]
    sizes = {part.values.shape for part in parts}
    if len(sizes) != 1:
        raise UserError(
            f"Mask {folder}: "
            + ("its files differ in size" if parts else "the folder holds no masks")
            + ". Expected one file for each object, all of the size of the image."
        )
    merged = np.maximum.reduce([part.values for part in parts])
    return Stored(merged, False, "folder", {}, any(part.is_inverted for part in parts))


def _object(file: Path, array: str) -> Stored:
    stored = read_stored(file, array=array)
    if stored.is_colored:
        raise UserError(
            f"Mask {file}: it is in colors (mode {stored.mode}), and the file of an object is "
            "gray: 0 outside, above 0 inside. Save it so, or take it out of the folder."
        )
    return stored


def _from_array(numbers: np.ndarray, as_colors: bool, file: Path) -> Stored:
    """The numbers of an array; as grays, if colors are wanted."""
    if as_colors:
        numbers = _as_one_number(np.repeat(numbers[..., None], 3, axis=2))
    return Stored(numbers, as_colors, file.suffix[1:], {})


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels [H, W, ...] turned as the EXIF tag says, like the pixels of a photo."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return np.ascontiguousarray(values)


def _require_one_sharp_page(picture: Image.Image, file: Path) -> None:
    """Refuses what can be opened, but is no mask."""
    # The format, not the name: some tools write JPEG under any name.
    if picture.format in ("JPEG", "MPO") or _is_lossy_webp(picture, file):
        raise UserError(
            f"Mask {file}: it is stored as {picture.format}, which changes values near every "
            "edge. Export it as PNG."
        )
    pages = _pages(picture)
    if pages > 1:
        raise UserError(
            f"Mask {file}: it has {pages} pages, and a mask has one. If each page shows one "
            "class, save their arg max as one page."
        )
    if picture.mode in TRANSPARENT and np.asarray(picture)[..., -1].min(initial=255) < 255:
        raise UserError(
            f"Mask {file}: some of its pixels are transparent, so their colors say nothing. "
            "Flatten it onto a background color first. (Four bands, one for each class? Save "
            "their arg max as one.)"
        )


def _pages(picture: Image.Image) -> int:
    """The pages of a file. Smaller copies of a page, as large TIFFs have them, do not count."""
    count = count_pages(picture)
    if count == 1 or picture.format != "TIFF":
        return count
    full = 0
    for page in range(count):
        picture.seek(page)
        full += not getattr(picture, "tag_v2", {}).get(NEW_SUBFILE_TYPE, 0) & 1
    picture.seek(0)
    picture.load()
    return full


def _is_lossy_webp(picture: Image.Image, file: Path) -> bool:
    if picture.format != "WEBP":
        return False
    with file.open("rb") as content:
        head = content.read(4096)
    return b"VP8L" not in head  # the name of the part that holds a lossless picture


def _numbers(picture: Image.Image, file: Path) -> np.ndarray | None:
    """The numbers of a mask [H, W], or None if its pixels are colors."""
    values = np.asarray(picture)
    if picture.mode == "1":
        return values.astype(np.uint8)
    if picture.mode in ("L", "P"):
        return values
    if picture.mode[0] == "I":  # big-endian files come as such
        return values.astype(values.dtype.newbyteorder("="))
    if picture.mode == "F":
        return whole_numbers(values, file)
    channels = values[..., :-1] if picture.mode in TRANSPARENT else values
    if picture.mode in ("RGB", "RGBA") and _has_16_bits(picture, file):
        values = channels = _deep(file)
    is_gray = picture.mode in ("RGB", *TRANSPARENT) and picture.mode != "PA"
    if is_gray and (channels == channels[..., :1]).all():
        return np.ascontiguousarray(channels[..., 0])
    return None


def _has_16_bits(picture: Image.Image, file: Path) -> bool:
    """Whether the channels have 16 bits, of which Pillow reads the upper 8."""
    if picture.format == "PNG":
        with file.open("rb") as content:
            return content.read(26)[24:25] == b"\x10"
    bits = getattr(picture, "tag_v2", {}).get(BITS_PER_SAMPLE, (8,))
    return bool(max(bits if isinstance(bits, tuple) else (bits,)) > 8)


def _deep(file: Path) -> np.ndarray:
    """Three channels of 16 bits, [H, W, 3], if they are equal: gray, as OpenCV writes it."""
    values = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3 or (values[..., :3] != values[..., :1]).any():
        raise UserError(
            f"Mask {file}: it holds colors of 16 bits. Save it with one number per pixel, or with "
            "colors of 8 bits."
        )
    return values[..., :3]


def _palette(picture: Image.Image, numbers: np.ndarray) -> dict[int, int]:
    """The color of each number that occurs, if the file gives numbers colors."""
    if picture.mode == "1":
        return {number: 0xFFFFFF * number for number in np.unique(numbers).tolist()}
    # The numbers of our own predictions are those of the user's masks, whatever their colors.
    if picture.mode != "P" or ORIGIN in picture.info:
        return {}
    flat = np.array((picture.getpalette("RGB") or [])[: 3 * 256], np.int32).reshape(-1, 3)
    used = [n for n in np.flatnonzero(np.bincount(numbers.ravel())).tolist() if n < len(flat)]
    return {number: int(_as_one_number(flat[number])) for number in used}


def _is_inverted(picture: Image.Image) -> bool:
    """Whether a TIFF says that 0 is white (MinIsWhite): Pillow inverts its numbers."""
    tags = getattr(picture, "tag_v2", {})
    return picture.mode in ("1", "L") and tags.get(PHOTOMETRIC) == 0


def _as_one_number(colors: np.ndarray) -> np.ndarray:
    """Colors [..., 3] as 0xRRGGBB: one number is looked up and compared faster than three."""
    red, green, blue = np.moveaxis(colors.astype(np.int32), -1, 0)
    found: np.ndarray = (red << 16) | (green << 8) | blue
    return found
