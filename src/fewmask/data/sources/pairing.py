"""Pairs images with masks by their names."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fewmask.data.affixes import NO_AFFIXES, Affixes, folder_of, proposed
from fewmask.data.files import Files
from fewmask.data.image_files import (
    list_images,
    masks_by_stem,
    stem,
    unique_names,
    without_predictions,
)
from fewmask.data.label_table import LabelTable
from fewmask.data.lists.reading import read_lines
from fewmask.data.sources.mask_pattern import NAME, is_pattern, pair_by_pattern
from fewmask.errors import UserError


def pair(images: Path, masks: Path, affixes: Affixes = NO_AFFIXES) -> tuple[Files, list[Path]]:
    """Pairs every image with its mask, if there is one.

    Args:
        images: a folder of images, or a .txt list.
        masks: a folder of masks, which need not exist; or a pattern, see `mask_pattern.py`.
        affixes: beginnings and ends of names that do not count.

    Returns:
        The pairs, and the masks that belong to no image.

    Raises:
        UserError: if there are no images, or an image is its own mask.
    """
    if is_pattern(masks):
        return pair_by_pattern(images, masks, affixes)
    files = _without_masks(list_images(images), images, masks, affixes)
    base = images if images.is_dir() else images.parent
    mask_of = masks_by_stem(masks, affixes, without={*files}) if masks.is_dir() else {}
    keys = [affixes.of_image(stem(file, base)) for file in files]
    found = [mask_of.get(key) for key in keys]
    used, bare = {*found}, Counter(Path(key).name for key in keys)
    # The mask of an image in a subfolder may also lie directly in the folder of masks.
    for i, key in enumerate(Path(key).name for key in keys):
        mask = mask_of.get(key)
        if found[i] is None and mask not in used and bare[key] == 1:
            found[i] = mask
    if not images.is_dir():
        _require_listed_masks(images, files, found)
    unpaired = sorted(set(mask_of.values()) - set(found))
    return Files(files, found, unique_names(files, base), LabelTable(num_classes=256)), unpaired


def _require_listed_masks(
    place: Path, images: Sequence[Path], masks: Sequence[Path | None]
) -> None:
    """Refuses a list of images with their masks that names other masks than those found."""
    for line, image, mask in zip(read_lines(place), images, masks, strict=True):
        second = line.replace("\\", "/").rpartition(" ")[2]
        listed = place.parent / second
        if not listed.is_file() or listed.samefile(image):  # one column, or a mask elsewhere
            continue
        if mask is None or not listed.samefile(mask):
            raise UserError(
                f"{place} gives {image.name} the mask {second}, but data.masks gives it "
                f"{mask or 'none'}. Set data.masks to the folder that counts, or write the image "
                "alone into each line."
            )


def _without_masks(
    files: Sequence[Path], images: Path, masks: Path, affixes: Affixes
) -> list[Path]:
    """The files without masks and results of fewmask that lie among them."""
    if not images.is_dir():
        return [*files]
    place = os.path.realpath(masks)
    if place == os.path.realpath(images):
        return _photos_beside_masks(files, images, affixes)
    return [
        file
        for file in without_predictions(files)
        if not Path(os.path.realpath(file)).is_relative_to(place)
    ]


def _photos_beside_masks(files: Sequence[Path], folder: Path, affixes: Affixes) -> list[Path]:
    """The photos in a folder that holds the masks too."""
    if affixes.mask_prefix or affixes.mask_suffix:
        photos = [file for file in files if affixes.of_mask(stem(file, folder)) is None]
    elif affixes.image_suffix or affixes.image_prefix:
        ends = affixes.image_prefix, affixes.image_suffix
        photos = [f for f in files if f.stem.startswith(ends[0]) and f.stem.endswith(ends[1])]
    else:
        photos = [file for file in files if file.suffix.lower() in (".jpg", ".jpeg")]
    if not photos:
        raise UserError(
            f"{folder} is the folder of images and of masks, and nothing tells them apart. If the "
            "names of the masks end in _mask, set data.mask_suffix=_mask. Else move the masks to "
            "a folder of their own. (Beside JPEG photos, all other files are masks.)"
        )
    return photos


def pair_all(images: Path, masks: Path, affixes: Affixes = NO_AFFIXES) -> Files:
    """Like `pair`, but every mask must belong to exactly one image.

    Raises:
        UserError: if a mask has no image or several, or if there is no mask at all.
    """
    paired, unpaired = pair(images, masks, affixes)
    owners = Counter(mask for mask in paired.masks if mask is not None)
    if shared := next((mask for mask, count in owners.items() if count > 1), None):
        name = paired.images[[*paired.masks].index(shared)].stem
        raise UserError(
            f"Two images in {images} are called '{name}', but there is only one mask of that "
            f"name: {shared}. Rename one of the images."
        )
    if not any(paired.masks):
        raise UserError(_nothing_paired(paired, unpaired, images, masks))
    if unpaired:
        raise UserError(
            f"{len(unpaired)} mask(s) in {masks} have no image in {images} (first: "
            f"{unpaired[0]}). Add the images, or remove the masks."
        )
    return paired


def _nothing_paired(paired: Files, unpaired: Sequence[Path], images: Path, masks: Path) -> str:
    """What to do if no image has a mask, in words."""
    first = paired.images[0].stem
    if is_pattern(masks):
        where, example = " of its own", Path(str(masks).replace(NAME, first))
    else:
        where = f" in {masks}" if masks.is_dir() else f": there is no folder {masks}"
        example = masks / f"{first}.png"
    what = f"None of the {len(paired)} images in {images} has a mask{where}. "
    if better := proposed([f.stem for f in paired.images], [f.stem for f in unpaired]):
        return f"{what}All masks would be paired with {better.as_options()}."
    if folder := folder_of([f.stem for f in paired.images], unpaired):
        return f"{what}All masks would be paired with data.masks={folder}."
    return (
        f"{what}A mask must have the same name as its image, apart from the extension, for example "
        f"{example}. Put the masks there, or set data.masks."
    )


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
