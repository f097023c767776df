"""Pairs images with masks by their names."""

from collections import Counter
from pathlib import Path

from fewmask.data.files import Files
from fewmask.data.image_files import list_images, masks_by_stem, stem, unique_names
from fewmask.data.label_table import LabelTable
from fewmask.errors import UserError


def pair(images: Path, masks: Path) -> tuple[Files, list[Path]]:
    """Pairs every image with its mask, if there is one.

    Args:
        images: a folder of images, or a .txt list.
        masks: a folder of masks. It need not exist.

    Returns:
        The pairs, and the masks that belong to no image.
    """
    files = list_images(images)
    base = images if images.is_dir() else images.parent
    mask_of = masks_by_stem(masks) if masks.is_dir() else {}
    found = [mask_of.get(stem(file, base)) for file in files]
    used, bare = {*found}, Counter(file.stem for file in files)
    # The mask of an image in a subfolder may also lie directly in the folder of masks.
    for i, file in enumerate(files):
        mask = mask_of.get(file.stem)
        if found[i] is None and mask not in used and bare[file.stem] == 1:
            found[i] = mask
    unpaired = sorted(set(mask_of.values()) - set(found))
    return Files(files, found, unique_names(files, base), LabelTable(num_classes=256)), unpaired


def pair_all(images: Path, masks: Path) -> Files:
    """Like `pair`, but every mask must belong to exactly one image.

    Raises:
        UserError: if a mask has no image or several, or if there is no mask at all.
    """
    paired, unpaired = pair(images, masks)
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
