"""Reads image files and resizes images. Masks: `masks.py`.

Pillow reads every file, except TIFFs of several bands: palette masks stay indices, and a truncated
file is an error instead of a half-gray picture.
"""

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from fewmask.atomic import obstacle, read_bytes
from fewmask.data.decoding import TooLarge, is_tiff, opened, require_pixels
from fewmask.data.quiet import quiet_readers
from fewmask.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

Range = tuple[float, float]
"""The values of an image that become 0 and 255."""

Image.MAX_IMAGE_PIXELS = None  # `decoded` has a limit of its own, which can be raised
quiet_readers()


def read_image(
    file: Path,
    channels: int = 3,
    content: bytes | None = None,
    value_range: Range | None = None,
) -> np.ndarray:
    """Reads any image as uint8 [H, W, channels], turned upright by its EXIF tag.

    Args:
        file: of any format in `IMAGE_SUFFIXES`.
        channels: 3 makes RGB of every image. With another number, bands are read as they are
            stored.
        content: the bytes of the image, if it is a part of an archive.
        value_range: values that become 0 and 255, if the image has more than 8 bits; see
            `to_8_bits`.

    Raises:
        UserError: if the file is missing, damaged or not an image, or has another number of bands.
    """
    values = read_values(file, channels, content)
    pixels = values if values.dtype == np.uint8 else to_8_bits(values, value_range)
    if pixels.shape[2] == channels:
        return pixels
    return np.repeat(pixels, channels, axis=2)  # gray as RGB


def read_values(file: Path, channels: int = 3, content: bytes | None = None) -> np.ndarray:
    """Reads the values of an image as they are stored, [H, W, C]; the arguments of `read_image`.

    With `channels=3`, there are three channels, or one if the image is gray with more than 8 bits.
    With another number, tifffile reads TIFFs (`pip install 'fewmask[multiband]'`), and Pillow every
    other format. A gray image has one band, RGBA and CMYK have four.
    """
    if channels == 3:
        return _colors(file, content)
    if is_tiff(file, content):
        image = read_tiff(file, content)
    else:
        with opened(file, "image", content) as picture:
            upright = ImageOps.exif_transpose(picture)
            stored = upright.convert("RGB") if upright.mode == "P" else upright
            image = np.atleast_3d(np.asarray(stored))
    if image.shape[2] != channels:
        raise UserError(
            f"Image {file} has {image.shape[2]} band(s), but model.in_channels={channels}. Leave "
            "the file out, or set model.in_channels."
        )
    return image


def _colors(file: Path, content: bytes | None) -> np.ndarray:
    """RGB of 8 or 16 bits [H, W, 3], or gray of more than 8 bits [H, W, 1]."""
    with opened(file, "image", content) as picture:
        if picture.format == "PNG" and picture.mode in ("RGB", "RGBA"):
            deep = _deep_png(read_bytes(file) if content is None else content)
            if deep is not None:
                return deep
        upright = ImageOps.exif_transpose(picture)
        if upright.mode[0] in "IF":  # gray with more than 8 bits
            return np.asarray(upright)[:, :, None]
        return np.asarray(upright.convert("RGB"))


def _deep_png(content: bytes) -> np.ndarray | None:
    """RGB of 16 bits [H, W, 3], which Pillow would cut to 8; None for other PNGs."""
    if len(content) < 26 or content[24] != 16:
        return None
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3 or values.shape[2] < 3:
        return None
    return np.ascontiguousarray(values[:, :, 2::-1])


def read_tiff(file: Path, content: bytes | None = None) -> np.ndarray:
    """Reads the first image of a TIFF, [H, W, C] of any type. Its bands may be separate pages.

    Raises:
        UserError: if tifffile is not installed, or the file is missing or damaged.
    """
    try:
        import tifffile
    except ImportError:
        raise UserError(
            f"Image {file}: reading a TIFF of several bands needs tifffile: pip install "
            "'fewmask[multiband]'"
        ) from None
    try:
        with tifffile.TiffFile(file if content is None else BytesIO(content)) as pages:
            series = pages.series[0]
            require_pixels(sorted(series.shape)[-2:])
            values: np.ndarray = series.asarray()
            # Bands may be separate planes [C, H, W], unless the file says samples (S) are last.
            planes_first = values.ndim == 3 and not series.axes.endswith("S")
            return np.atleast_3d(np.moveaxis(values, 0, -1) if planes_first else values)
    except FileNotFoundError:
        raise UserError(
            f"There is no image {file}. Check the list or the folder it came from."
        ) from None
    except TooLarge as error:
        raise UserError(f"Cannot read image {file}: {error}") from None
    except Exception as error:  # tifffile and its codecs each fail in their own ways
        raise UserError(
            f"Cannot read image {file}: {error}. The file is damaged or not an image; replace it "
            "or remove it from the data."
        ) from None


def as_rgb(image: np.ndarray) -> np.ndarray:
    """An image [H, W, C] for display: its first three bands, or its first band in gray."""
    return image[:, :, :3] if image.shape[2] >= 3 else np.repeat(image[:, :, :1], 3, axis=2)


def to_8_bits(values: np.ndarray, value_range: Range | None = None) -> np.ndarray:
    """Values of any type as uint8.

    Args:
        values: of any shape. What is not a number becomes 0.
        value_range: the values that become 0 and 255; those outside are cut off. None decides by
            the values of this one image, as version 0.1 did: integers of 16 and 32 bits lose their
            low bits, floats 0..1 are stretched, and floats above 255 are treated as 16-bit values.
    """
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if value_range is not None:
        low, high = value_range
        bits = (np.nan_to_num(values.astype(np.float32), nan=low) - low) * (255 / (high - low))
        return np.asarray(np.rint(bits.clip(0, 255)), np.uint8)
    if values.dtype.kind == "f":
        finite = np.nan_to_num(values)
        most = finite.max(initial=0)
        bits = finite * (255 if most <= 1 else 1 if most <= 255 else 1 / 257)
    else:
        # Integers of 32 bits often hold no more than 8.
        is_deep = values.dtype.itemsize == 2 or values.max() > 255
        bits = values // 256 if is_deep else values
    return bits.clip(0, 255).astype(np.uint8)


def to_long_side(image: np.ndarray, long_side: int | None) -> np.ndarray:
    """Resizes uint8 [H, W, C] to a longer side of `long_side` pixels. None changes nothing.

    Raises:
        UserError: if it would be beyond the limit on images.
    """
    if long_side is None or max(image.shape[:2]) == long_side:
        return image
    size = size_at(image, long_side)
    try:
        require_pixels(size)
    except TooLarge as error:
        raise UserError(f"An image cannot be resized to long_side={long_side}: {error}") from None
    return resize_image(image, size)


def size_at(picture: np.ndarray, long_side: int) -> tuple[int, int]:
    """Width and height of a picture [H, W, ...] at a longer side of `long_side` pixels."""
    height, width = picture.shape[:2]
    scale = long_side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes uint8 [H, W, C] to (width, height). Shrinking averages pixels."""
    shrinks = size[0] < image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    if image.shape[2] == 3:
        return cv2.resize(image, size, interpolation=how)
    # OpenCV resizes at most four bands at once.
    groups = [image[:, :, i : i + 4] for i in range(0, image.shape[2], 4)]
    return np.dstack([cv2.resize(group, size, interpolation=how) for group in groups])


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes labels [H, W] to (width, height) by exact nearest neighbors, as Pillow does."""
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)


def same_aspect(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two sizes (width, height) are one shape: but for rounding, or one percent."""
    width = one[1] * other[0] / other[1]  # that `one` would have in the shape of the other
    return abs(one[0] - width) <= max(1, 0.01 * width)


def looks_whole(file: Path) -> bool:
    """Whether a JPEG or PNG has a readable head and a proper end. Nothing is decoded.

    If not, the file may still be whole: decode it to find out.
    """
    try:
        if obstacle(file):
            return False
        with Image.open(file) as picture:  # reads the head
            end = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}.get(picture.format or "")
        with file.open("rb") as content:
            content.seek(-16, os.SEEK_END)
            return end is not None and content.read().endswith(end)
    except (OSError, SyntaxError, ValueError):
        return False
