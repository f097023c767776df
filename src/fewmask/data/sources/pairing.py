"""Pairs images with masks by their names."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fewmask.data.files import Files
from fewmask.data.image_files import (
    list_images,
    masks_by_stem,
    predictions_below,
    stem,
    unique_names,
    without_suffix,
)
from fewmask.data.label_table import LabelTable
from fewmask.errors import UserError


class Suffixes(NamedTuple):
    """What tools add to the names of a pair: `p05_photo.jpg` and `p05_mask.png`."""

    image: str = ""
    mask: str = ""


NO_SUFFIXES = Suffixes()


def pair(images: Path, masks: Path, suffixes: Suffixes = NO_SUFFIXES) -> tuple[Files, list[Path]]:
    """Pairs every image with its mask, if there is one.

    Args:
        images: a folder of images, or a .txt list.
        masks: a folder of masks. It need not exist.
        suffixes: ends of names that do not count.

    Returns:
        The pairs, and the masks that belong to no image.

    Raises:
        UserError: if there are no images, or an image is its own mask.
    """
    files = _without_masks(list_images(images), images, masks, suffixes)
    base = images if images.is_dir() else images.parent
    mask_of = masks_by_stem(masks, suffixes.mask) if masks.is_dir() else {}
    keys = [without_suffix(stem(file, base), suffixes.image) for file in files]
    found = [mask_of.get(key) for key in keys]
    used, bare = {*found}, Counter(Path(key).name for key in keys)
    # The mask of an image in a subfolder may also lie directly in the folder of masks.
    for i, key in enumerate(Path(key).name for key in keys):
        mask = mask_of.get(key)
        if found[i] is None and mask not in used and bare[key] == 1:
            found[i] = mask
    _refuse_own_masks(files, found)
    unpaired = sorted(set(mask_of.values()) - set(found))
    return Files(files, found, unique_names(files, base), LabelTable(num_classes=256)), unpaired


def _without_masks(
    files: Sequence[Path], images: Path, masks: Path, suffixes: Suffixes
) -> list[Path]:
    """The files without masks and results of fewmask that lie among them."""
    if not images.is_dir():
        return [*files]
    place = os.path.realpath(masks)
    apart = place != os.path.realpath(images)
    own = predictions_below(images)
    return [
        file
        for file in files
        if not (apart and Path(os.path.realpath(file)).is_relative_to(place))
        and not (not apart and suffixes.mask and file.stem.endswith(suffixes.mask))
        and own.isdisjoint(file.parents)
    ]


def _refuse_own_masks(files: Sequence[Path], masks: Sequence[Path | None]) -> None:
    same = [f for f, mask in zip(files, masks, strict=True) if mask is not None and f == mask]
    if same:
        raise UserError(
            f"{len(same)} image(s) are their own masks (first: {same[0]}), as data.images and "
            "data.masks are one folder. If the names of the masks end in _mask, set "
            "data.mask_suffix=_mask. Else move the masks to a folder of their own."
        )


def pair_all(images: Path, masks: Path, suffixes: Suffixes = NO_SUFFIXES) -> Files:
    """Like `pair`, but every mask must belong to exactly one image.

    Raises:
        UserError: if a mask has no image or several, or if there is no mask at all.
    """
    paired, unpaired = pair(images, masks, suffixes)
    owners = Counter(mask for mask in paired.masks if mask is not None)
    if shared := next((mask for mask, count in owners.items() if count > 1), None):
        name = paired.images[[*paired.masks].index(shared)].stem
        raise UserError(
            f"Two images in {images} are called '{name}', but there is only one mask of that "
            f"name: {shared}. Rename one of the images."
        )
    if not any(paired.masks):
        where = f"in {masks}" if masks.is_dir() else f": there is no folder {masks}"
        example = masks / f"{paired.images[0].stem}.png"
        raise UserError(
            f"None of the {len(paired)} images in {images} has a mask {where}. A mask must have "
            f"the same name as its image, apart from the extension, for example {example}. Put "
            "the masks there, or set data.masks."
        )
    if unpaired:
        raise UserError(
            f"{len(unpaired)} mask(s) in {masks} have no image in {images} (first: "
            f"{unpaired[0].name}). Add the images, or remove the masks."
        )
    return paired


def require_masks(files: Files, option: str) -> None:
    """Requires a mask for every image.

    Args:
        files: images with or without masks.
        option: the option that names the images, for the message.

    Raises:
        UserError: if an image has no mask.
    """
    lacking = [name for name, mask in zip(files.names, files.masks, strict=True) if mask is None]
    if lacking:
        raise UserError(
            f"{option}: {len(lacking)} image(s) have no mask (first: {lacking[0]}). Add the masks, "
            "or leave the images out."
        )
