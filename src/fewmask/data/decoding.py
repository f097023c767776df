"""Decodes image files. A file that declares more pixels than a limit is refused before that."""

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from fewmask.atomic import obstacle
from fewmask.errors import UserError

TIFF_SUFFIXES = (".tif", ".tiff")

VARIABLE = "FEWMASK_MAX_MEGAPIXELS"
"""The environment variable that changes the limit, in all commands and processes."""
DEFAULT = 200.0
"""Megapixels: a photo has up to 100, and 200 as floats of three channels take 2.4 GB."""


FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "DIB", "JPEG2000", "PPM", "TGA")
"""What is decoded, whatever the suffix says. Pillow knows more: it lets Ghostscript run an EPS."""


MOST_PAGES = 1000
"""Of a TIFF that are counted."""


class TooLarge(ValueError):
    """An image beyond the limit."""


def max_megapixels() -> float:
    """The limit that counts here."""
    try:
        limit = float(os.environ.get(VARIABLE, DEFAULT))
    except ValueError:
        return DEFAULT
    return limit if limit > 0 else DEFAULT


def require_pixels(size: Sequence[int]) -> None:
    """Refuses a size (of two numbers, in any order) beyond the limit.

    Raises:
        TooLarge: saying how to allow it.
    """
    limit, pixels = max_megapixels(), math.prod(size)
    if pixels > limit * 1e6:
        raise TooLarge(
            f"it is {size[0]}x{size[1]} pixels, and the limit is {limit:g} megapixels. Cut it into "
            f"tiles, or set the environment variable {VARIABLE}={math.ceil(pixels / 1e6)} if it "
            "fits into memory."
        )


def decoded(source: Path | BinaryIO) -> Image.Image:
    """An image of any format that Pillow reads, decoded.

    Raises:
        TooLarge: if it declares more pixels than the limit; nothing was decoded.
        OSError: for an empty file, or a pipe or device, which may never end; and Pillow's errors.
    """
    if isinstance(source, Path) and (reason := obstacle(source)):
        raise OSError(reason)
    picture = Image.open(source, formats=FORMATS)
    try:
        require_pixels(picture.size)
        picture.load()
    except BaseException:
        picture.close()
        raise
    return picture


OTHER_TIFF = (
    "If it holds bands other than RGB, set model.in_channels.",
    "If it holds numbers of 32 or 64 bits, save it as PNG of 8 or 16 bits.",
)
"""What else a TIFF may be that is no image here: a photo, and a mask."""


def count_pages(picture: Image.Image) -> int:
    """The pages of a picture, which shows its first one afterwards.

    It stops at `MOST_PAGES`: with each page, Pillow needs longer for the next one.
    """
    if picture.format != "TIFF":
        return int(getattr(picture, "n_frames", 1))
    count = 1
    with suppress(EOFError):
        while count < MOST_PAGES:
            picture.seek(count)
            count += 1
    picture.seek(0)
    picture.load()
    return count


class opened:
    """Opens and decodes an image file. Any failure, here or in the block, becomes a UserError."""

    def __init__(self, file: Path, what: str, content: bytes | None = None):
        self.file, self.what, self.content = file, what, content

    def __enter__(self) -> Image.Image:
        try:
            self.picture = decoded(self.file if self.content is None else BytesIO(self.content))
        except Exception as error:  # Pillow raises a dozen kinds for damaged files
            raise self._in_words(error) from None
        return self.picture

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.picture.close()
        if isinstance(error, Exception) and not isinstance(error, UserError):
            raise self._in_words(error) from error

    def _in_words(self, error: Exception) -> UserError:
        file = f"{self.what} {self.file}"
        if isinstance(error, FileNotFoundError):
            return UserError(f"There is no {file}. Check the list or the folder it came from.")
        if isinstance(error, TooLarge):
            return UserError(f"Cannot read {file}: {error}")
        if isinstance(error, MemoryError):
            return UserError(f"Cannot read {file}: it does not fit into memory. Cut it into tiles.")
        is_foreign = isinstance(error, UnidentifiedImageError)
        may_be_bands = is_foreign and is_tiff(self.file, self.content)
        reason = "not an image of a known format" if is_foreign else error
        return UserError(
            f"Cannot read {file}: {reason}. The file is damaged or not an image; replace it or "
            "remove it from the data."
            + (f" {OTHER_TIFF[self.what == 'mask']}" if may_be_bands else "")
        )


def is_tiff(file: Path, content: bytes | None = None) -> bool:
    """Whether a file is a TIFF, by its suffix or its first bytes."""
    if content is None:
        return file.suffix.lower() in TIFF_SUFFIXES
    return content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
