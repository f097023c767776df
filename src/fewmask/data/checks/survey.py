"""Reads every file of a data set once and keeps what is worth knowing; nothing raises here."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track

from fewmask.data.images import TIFF_SUFFIXES, as_rgb, read_tiff, to_8_bits

MANY_COLORS = 64
"""A mask with more colors than this was smoothed or is a photo."""


@dataclass(frozen=True)
class ImageFacts:
    """What one image file is."""

    file: Path
    error: str | None = None
    size: tuple[int, int] = (0, 0)  # width, height, upright
    mode: str = ""
    is_turned: bool = False  # by its EXIF tag
    keeps_size: bool = False  # though it is turned: upside down, mirrored, or square
    content: bytes = b""  # hash of the file
    deepest: int | None = None  # largest value, where there are more than 8 bits to one
    look: int = 0  # 64-bit difference hash: near-duplicates differ in few bits


@dataclass(frozen=True)
class MaskFacts:
    """What one mask file is."""

    file: Path
    error: str | None = None
    size: tuple[int, int] = (0, 0)  # width, height
    mode: str = ""
    values: Mapping[int, int] = field(default_factory=dict)  # value (or 0xRRGGBB) to pixels
    is_colored: bool = False


@dataclass
class Survey:
    """All facts of a data set.

    Attributes:
        images: by set: labeled, unlabeled, val.
        masks: of the labeled and of the val images, in their order.
        lone: masks that belong to no image.
        unread: pictures of kinds that are not read.
    """

    images: dict[str, list[ImageFacts]]
    masks: dict[str, list[MaskFacts]]
    lone: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)


def take_survey(
    images: Mapping[str, Sequence[Path]],
    masks: Mapping[str, Sequence[Path]],
    as_colors: bool = False,
) -> Survey:
    """Reads all files, on all cores, with a progress bar.

    Args:
        images: files by set.
        masks: files by set, for the sets that have masks.
        as_colors: whether palette masks are to be read as colors.
    """
    read_mask = partial(look_at_mask, as_colors=as_colors)
    jobs: list[tuple[Callable[[Path], Any], Path]] = []
    for files in images.values():
        jobs += [(look_at_image, file) for file in files]
    for files in masks.values():
        jobs += [(read_mask, file) for file in files]
    console = Console(stderr=True)
    with ThreadPoolExecutor() as pool:  # Pillow decodes without the interpreter lock
        facts = iter(
            track(
                pool.map(lambda job: job[0](job[1]), jobs),
                "Reading files",
                len(jobs),
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )
        survey = Survey(
            {part: list(islice(facts, len(files))) for part, files in images.items()},
            {part: list(islice(facts, len(files))) for part, files in masks.items()},
        )
        list(facts)  # lets the bar end
    return survey


def look_at_image(file: Path) -> ImageFacts:
    """Decodes an image and describes it."""
    try:
        content = file.read_bytes()
        picture, mode, orientation = _decoded(file)
        small = np.asarray(picture.convert("RGB").resize((9, 8), Image.Resampling.BOX))
    except Exception as error:  # Pillow raises a dozen kinds for damaged files
        return ImageFacts(file, _reason(error))
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.int16)
    bits = (gray[:, 1:] > gray[:, :-1]).ravel()
    look = int.from_bytes(np.packbits(bits).tobytes(), "big")
    digest = hashlib.blake2b(content, digest_size=16).digest()
    turned, (width, height) = orientation not in (0, 1), picture.size
    keeps_size = turned and (orientation <= 4 or width == height)
    deepest = int(np.asarray(picture).max(initial=0)) if mode.startswith("I;16") else None
    return ImageFacts(file, None, picture.size, mode, turned, keeps_size, digest, deepest, look)


def _decoded(file: Path) -> tuple[Image.Image, str, int]:
    """The upright picture, its mode (or its bands), and the orientation in its EXIF tag, 0..8."""
    try:
        with Image.open(file) as picture:
            picture.load()
            orientation = int(picture.getexif().get(0x0112, 1))
            return ImageOps.exif_transpose(picture), picture.mode, orientation
    except UnidentifiedImageError:
        if file.suffix.lower() not in TIFF_SUFFIXES:
            raise
        bands = read_tiff(file)
        return Image.fromarray(as_rgb(to_8_bits(bands))), f"{bands.shape[2]} bands", 1


def look_at_mask(file: Path, as_colors: bool = False) -> MaskFacts:
    """Decodes a mask and counts its values."""
    try:
        with Image.open(file) as picture:
            picture.load()
            mode, size = picture.mode, picture.size
            is_colored = as_colors or mode not in ("1", "L", "P", "I", "I;16")
            pixels = np.asarray(picture.convert("RGB") if is_colored else picture)
    except Exception as error:
        return MaskFacts(file, _reason(error))
    if is_colored:
        red, green, blue = pixels.astype(np.int32).transpose(2, 0, 1)
        pixels = (red << 16) | (green << 8) | blue
    if pixels.dtype in (np.uint8, np.bool_):
        counts = np.bincount(pixels.ravel(), minlength=256)
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(pixels, return_counts=True)
    found = dict(zip(values.tolist(), counts.tolist(), strict=True))
    return MaskFacts(file, None, size, mode, found, is_colored)


def near_pairs(
    ours: Sequence[ImageFacts], theirs: Sequence[ImageFacts], bits: int
) -> list[tuple[ImageFacts, ImageFacts]]:
    """For each of `theirs`, the nearest of `ours` whose look differs in at most so many bits."""
    if not ours or not theirs:
        return []
    looks = np.array([facts.look for facts in ours], np.uint64)
    pairs = []
    for facts in theirs:
        distance = np.bitwise_count(looks ^ np.uint64(facts.look))
        nearest = int(distance.argmin())
        if distance[nearest] <= bits:
            pairs.append((ours[nearest], facts))
    return pairs


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "it may not be read (permission denied)"
    return str(error).partition(" <")[0].partition(" '/")[0] or type(error).__name__
