"""Reads image files and resizes pictures.

Every file is read through Pillow: one decoder, palette masks stay indices, and a truncated file is
an error instead of a half-grey picture.
"""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from fewmask.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

Image.MAX_IMAGE_PIXELS = None  # large scans are data here, not an attack


def read_image(file: Path) -> np.ndarray:
    """Reads any image as uint8 RGB [H, W, 3], turned upright by its EXIF tag.

    Raises:
        UserError: if the file is missing, damaged or no image.
    """
    with _opened(file, "image") as picture:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode[0] in "IF":  # grey with more than 8 bits
            return np.repeat(_to_8_bits(np.asarray(upright))[:, :, None], 3, axis=2)
        return np.asarray(upright.convert("RGB"))


def _to_8_bits(grey: np.ndarray) -> np.ndarray:
    """16-bit and 32-bit integers lose their low bits, floats 0..1 are stretched; [H, W] uint8."""
    if grey.dtype.kind == "f":
        finite = np.nan_to_num(grey)
        bits: np.ndarray = finite * (255 if finite.max() <= 1 else 1)
    else:
        is_deep = grey.dtype.itemsize == 2 or grey.max() > 255
        bits = grey // 256 if is_deep else grey
    return bits.clip(0, 255).astype(np.uint8)


def read_mask(file: Path) -> np.ndarray:
    """Reads the values of a palette or grey mask, [H, W].

    Raises:
        UserError: if the file is missing, damaged or coded in colours.
    """
    with _opened(file, "mask") as picture:
        if picture.mode == "1":
            return np.asarray(picture).astype(np.uint8)
        if picture.mode not in ("L", "P", "I", "I;16"):
            raise UserError(
                f"Mask {file} has mode {picture.mode}; expected one number per pixel (palette or "
                "grey, PNG modes P, L). If its colours are the classes, set data.palette; fewmask "
                "check lists the colours."
            )
        return np.asarray(picture)


def read_colours(file: Path) -> np.ndarray:
    """Reads a mask whose colours are the classes: [H, W] int32, 0xRRGGBB.

    Raises:
        UserError: if the file is missing, damaged or no image.
    """
    with _opened(file, "mask") as picture:
        red, green, blue = np.asarray(picture.convert("RGB"), np.int32).transpose(2, 0, 1)
        colours: np.ndarray = (red << 16) | (green << 8) | blue
        return colours


class _opened:
    """Opens and decodes an image file; whatever goes wrong inside becomes a UserError."""

    def __init__(self, file: Path, what: str):
        self.file, self.what = file, what

    def __enter__(self) -> Image.Image:
        try:
            self.picture = Image.open(self.file)
            self.picture.load()
        except FileNotFoundError:
            raise UserError(
                f"There is no {self.what} {self.file}. Check the list or the folder it came from."
            ) from None
        except (OSError, SyntaxError, ValueError, MemoryError) as error:
            raise UserError(
                f"Cannot read {self.what} {self.file}: {error}. It is damaged or not an image; "
                "replace it or remove it from the data."
            ) from None
        return self.picture

    def __exit__(self, *exception: object) -> None:
        self.picture.close()


def to_long_side(image: np.ndarray, long_side: int | None) -> np.ndarray:
    """Resizes uint8 [H, W, 3] to a longer side of `long_side` pixels; None changes nothing."""
    height, width = image.shape[:2]
    if long_side is None or max(height, width) == long_side:
        return image
    scale = long_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return resize_image(image, size)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes uint8 [H, W, 3] to (width, height), averaging where it shrinks."""
    shrinks = size[0] < image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes labels [H, W] to (width, height); nearest in the exact sense, equal to Pillow's."""
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)


def looks_whole(file: Path) -> bool:
    """Whether a JPEG or PNG has a readable head and its proper end; cheap, decodes nothing.

    False means: decode it to know.
    """
    try:
        with Image.open(file) as picture:  # reads the head
            end = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}.get(picture.format or "")
        with file.open("rb") as content:
            content.seek(-16, os.SEEK_END)
            return end is not None and content.read().endswith(end)
    except (OSError, SyntaxError, ValueError):
        return False
