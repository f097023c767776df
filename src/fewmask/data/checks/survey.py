"""Reads every file of a data set once and notes the facts about it. Nothing raises an error."""

import hashlib
import re
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

from fewmask.atomic import read_bytes
from fewmask.data.checks.regions import has_numbered_objects, is_smoothed
from fewmask.data.decoding import TIFF_SUFFIXES, TooLarge, count_pages, decoded
from fewmask.data.images import as_rgb, read_tiff, to_8_bits
from fewmask.data.label_table import LabelTable, distinct
from fewmask.data.masks import read_stored
from fewmask.data.source import Inventory
from fewmask.errors import UserError

MANY_COLORS = 64
"""A mask with more colors than this was smoothed, or is a photo."""
SAMPLES_PER_PIXEL = 277
"""The tag of a TIFF that counts its bands."""


@dataclass(frozen=True)
class ImageFacts:
    """The facts about one image file."""

    file: Path
    error: str | None = None
    size: tuple[int, int] = (0, 0)  # width, height, upright
    mode: str = ""
    is_turned: bool = False  # by its EXIF tag
    keeps_size: bool = False  # turned without a change of size: upside down, mirrored, square
    content: bytes = b""  # hash of the file
    pages: int = 1  # of a TIFF or an animation
    bands: int = 0  # as a TIFF counts them; 0 in other formats
    appearance: int = 0  # 64-bit difference hash: near-duplicates differ in few bits


@dataclass(frozen=True)
class MaskFacts:
    """The facts about one mask file."""

    file: Path
    error: str | None = None
    size: tuple[int, int] = (0, 0)  # width, height
    mode: str = ""
    values: Mapping[int, int] = field(default_factory=dict)  # value (or 0xRRGGBB) to pixels
    is_colored: bool = False
    palette: Mapping[int, int] = field(default_factory=dict)  # value to 0xRRGGBB
    is_inverted: bool = False  # stored with 0 as white
    has_numbered_objects: bool = False  # 1, 2, 3 ..., each one connected region
    is_smoothed: bool = False  # most values are steps of smoothed edges


@dataclass
class Survey:
    """All facts about a data set.

    Attributes:
        images: by subset: labeled, unlabeled, val.
        masks: of the labeled and of the val images, in their order.
        unpaired: masks that belong to no image.
        unread: pictures of formats that are not read.
        channels: bands of an image in training.
        resizes_masks: whether masks get the size of their image; None if no option says it.
    """

    images: dict[str, list[ImageFacts]]
    masks: dict[str, list[MaskFacts]]
    unpaired: Sequence[Path] = ()
    unread: Sequence[Path] = ()
    channels: int = 3
    resizes_masks: bool | None = None


def take_survey(inventory: Inventory, channels: int = 3) -> Survey:
    """Reads all files of a data source, on all cores, with a progress bar.

    Args:
        inventory: of the data source.
        channels: bands of an image in training, `model.in_channels`.
    """
    describe = _describer(inventory.labels)
    jobs: list[Callable[[], Any]] = []
    for files in inventory.images.values():
        jobs += [partial(describe_image, file) for file in files]
    for files in inventory.masks.values():
        jobs += [partial(describe, file) for file in files]
    facts = iter(_run_all(jobs))
    return Survey(
        {subset: list(islice(facts, len(files))) for subset, files in inventory.images.items()},
        {subset: list(islice(facts, len(files))) for subset, files in inventory.masks.items()},
        inventory.unpaired,
        inventory.unread,
        channels,
        inventory.resizes_masks,
    )


def survey_masks(masks: Mapping[str, Sequence[Path]], labels: LabelTable) -> Survey:
    """Reads masks alone.

    Args:
        masks: by subset: labeled, val.
        labels: how their values become labels.
    """
    describe = _describer(labels)
    with ThreadPoolExecutor() as executor:
        return Survey({}, {subset: [*executor.map(describe, m)] for subset, m in masks.items()})


def _run_all(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    console = Console(stderr=True)
    with ThreadPoolExecutor() as executor:  # Pillow decodes without the interpreter lock
        done = executor.map(lambda job: job(), jobs)
        hidden = not console.is_terminal
        bar = track(
            done, "Reading files", len(jobs), console=console, transient=True, disable=hidden
        )
        return list(bar)


def describe_image(file: Path) -> ImageFacts:
    """Decodes an image and notes the facts about it."""
    try:
        picture, mode, orientation, pages, bands = _decoded(file)
        content = read_bytes(file)
        small = np.asarray(picture.convert("RGB").resize((9, 8), Image.Resampling.BOX))
    except UserError as error:  # of a TIFF; what to do is said once for all files
        return ImageFacts(file, _without_name(error, file).partition(". ")[0])
    except Exception as error:  # Pillow raises a dozen kinds for damaged files
        return ImageFacts(file, _reason(error))
    # Which of two neighbors is brighter survives another size, quality or exposure.
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.int16)
    bits = (gray[:, 1:] > gray[:, :-1]).ravel()
    appearance = int.from_bytes(np.packbits(bits).tobytes(), "big")
    digest = hashlib.blake2b(content, digest_size=16).digest()
    turned, (width, height) = orientation not in (0, 1), picture.size
    keeps_size = turned and (orientation <= 4 or width == height)
    return ImageFacts(
        file, None, picture.size, mode, turned, keeps_size, digest, pages, bands, appearance
    )


def _decoded(file: Path) -> tuple[Image.Image, str, int, int, int]:
    """The upright picture; mode (or bands), orientation in its EXIF tag (0..8), pages, bands."""
    try:
        with decoded(file) as picture:
            orientation = int(picture.getexif().get(0x0112, 1))
            pages = count_pages(picture)
            bands = int(getattr(picture, "tag_v2", {}).get(SAMPLES_PER_PIXEL, 0))
            return ImageOps.exif_transpose(picture), picture.mode, orientation, pages, bands
    except UnidentifiedImageError:
        if file.suffix.lower() not in TIFF_SUFFIXES:
            raise
        values = read_tiff(file)
        count = values.shape[2]
        return Image.fromarray(as_rgb(to_8_bits(values))), f"{count} bands", 1, 1, count


def _describer(labels: LabelTable) -> Callable[[Path], MaskFacts]:
    """How to describe masks whose values become labels in this way."""
    # Numbers of objects are looked for only where nobody has said what numbers mean.
    is_said = bool(labels.mapping or labels.advice or labels.is_binary)
    return partial(
        describe_mask,
        as_colors=bool(labels.palette),
        may_count_objects=not is_said,
        array=labels.array,
    )


def describe_mask(
    file: Path, as_colors: bool = False, may_count_objects: bool = True, array: str = ""
) -> MaskFacts:
    """Decodes a mask and counts its values.

    Args:
        file: of the mask.
        as_colors: whether its colors are the classes.
        may_count_objects: whether its numbers may be those of objects.
        array: the one that is the mask, if the file holds several.
    """
    try:
        stored = read_stored(file, as_colors, array)
    except UserError as error:
        return MaskFacts(file, _without_name(error, file))
    except Exception as error:
        return MaskFacts(file, _reason(error))
    values, counts = distinct(stored.values)
    found = dict(zip(values.tolist(), counts.tolist(), strict=True))
    height, width = stored.values.shape
    return MaskFacts(
        file, None, (width, height), stored.mode, found, stored.is_colored, stored.palette,
        stored.is_inverted,
        may_count_objects and not stored.is_colored and has_numbered_objects(stored.values),
        not stored.is_colored and is_smoothed(stored.values),
    )  # fmt: skip


def near_pairs(
    ours: Sequence[ImageFacts], theirs: Sequence[ImageFacts], bits: int
) -> list[tuple[ImageFacts, ImageFacts]]:
    """For each of `theirs`, the most similar of `ours`, if it differs in at most `bits` bits."""
    if not ours or not theirs:
        return []
    appearances = np.array([facts.appearance for facts in ours], np.uint64)
    pairs = []
    for facts in theirs:
        distance = np.bitwise_count(appearances ^ np.uint64(facts.appearance))
        nearest = int(distance.argmin())
        if distance[nearest] <= bits:
            pairs.append((ours[nearest], facts))
    return pairs


def _without_name(error: UserError, file: Path) -> str:
    """What is wrong with a file, in words that group it with others; or with a part of a folder."""
    reason = str(error).partition(str(file))[2].partition(": ")[2]
    return reason.rstrip(".") or str(error)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, TooLarge):
        return str(error).rstrip(".")
    # Pillow names the file or an object's address; the reason groups files, so both are cut off.
    # Numbers of bytes differ from file to file, too.
    words = re.split(r" <| '/| \(\d| \d", str(error))[0]
    return words or type(error).__name__
