"""Masks whose place follows from the name of their image: masks/{name}_label, {name}/masks."""

from pathlib import Path

from fewmask.data.affixes import Affixes
from fewmask.data.files import Files
from fewmask.data.image_files import list_images, unique_names
from fewmask.data.label_table import LabelTable
from fewmask.data.masks import MASK_SUFFIXES
from fewmask.data.object_masks import mask_parts, require_objects
from fewmask.errors import UserError

NAME = "{name}"
"""Stands for the name of an image, without its folder and extension."""


def is_pattern(masks: Path) -> bool:
    """Whether a place of masks has the name of an image in it."""
    return NAME in str(masks)


def pair_by_pattern(images: Path, pattern: Path, affixes: Affixes) -> tuple[Files, list[Path]]:
    """Pairs every image with the mask at the place that follows from its name.

    Args:
        images: a folder of images, in which masks may lie too, or a .txt list.
        pattern: a path with {name} in it, with or without an extension. A folder there holds one
            mask for each object of the image.
        affixes: ends of the names of images that do not count.

    Returns:
        The pairs, and the masks that belong to no image.

    Raises:
        UserError: if there are no images, two masks for one, or folders with a file per class.
    """
    files = list_images(images)
    found = [_mask_at(pattern, affixes.of_image(file.stem)) for file in files]
    masks = {mask for mask in found if mask is not None}
    is_photo = [not ({file, *file.parents} & masks) for file in files]
    photos = [file for file, keep in zip(files, is_photo, strict=True) if keep]
    masks_of = [mask for mask, keep in zip(found, is_photo, strict=True) if keep]
    require_objects((mask for mask in {*masks_of} if mask and mask.is_dir()), MASK_SUFFIXES)
    base = images if images.is_dir() else images.parent
    unpaired = sorted({*_all_masks(pattern)} - {*masks_of} - {*photos})
    names = unique_names(photos, base)
    return Files(photos, masks_of, names, LabelTable(num_classes=256)), unpaired


def _mask_at(pattern: Path, name: str) -> Path | None:
    """The mask of an image, if there is one: a file, or a folder that holds some."""
    place = Path(str(pattern).replace(NAME, name))
    if place.suffix.lower() in MASK_SUFFIXES:
        return place if place.is_file() else None
    found = [place] if place.is_dir() and mask_parts(place, MASK_SUFFIXES) else []
    found += [file for suffix in MASK_SUFFIXES if (file := Path(f"{place}{suffix}")).is_file()]
    if len(found) > 1:
        raise UserError(f"Two masks for one image: {found[0]} and {found[1]}. Keep one of them.")
    return found[0] if found else None


def _all_masks(pattern: Path) -> list[Path]:
    """Everything that lies where a mask may be, whether there is an image of its name or not."""
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if NAME in part)
    below = "/".join(parts[first:]).replace(NAME, "*")
    suffix = pattern.suffix.lower()
    below = below if suffix in MASK_SUFFIXES else f"{below}*"
    found = Path(*parts[:first]).glob(below.replace("**", "*"))  # ** would go into subfolders
    # Hidden ones are left out as elsewhere: a Mac adds ._p1.png to p1.png.
    seen = (f for f in found if not any(part.startswith(".") for part in f.parts[first:]))
    return [place for place in seen if _holds_a_mask(place)]


def _holds_a_mask(place: Path) -> bool:
    if place.is_dir():  # an empty one may be made for every image
        return bool(mask_parts(place, MASK_SUFFIXES))
    return place.suffix.lower() in MASK_SUFFIXES
