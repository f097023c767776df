"""Whether images and masks lie where the options say, and if not, where they may be."""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fewmask.data.image_files import files_below
from fewmask.data.mask_arrays import ARRAY_SUFFIXES
from fewmask.data.masks import MASK_SUFFIXES
from fewmask.data.sources.mask_pattern import NAME, is_pattern
from fewmask.data.tag_files import vector_in
from fewmask.errors import UserError

MASK_WORDS = "mask|label|annot|seg|truth|gt|class"
"""In the name of a folder, they say that it may hold masks."""
NAMED_FOLDERS = 5
"""A message names this many folders, those with the most pictures."""


def require_layout(root: Path, images: Path, masks: Path) -> None:
    """Requires the folders of images and masks.

    Args:
        root: the folder that the others start from.
        images: of the images, or a list.
        masks: of the masks, or a pattern.

    Raises:
        UserError: if a folder is missing, or its subfolders are those of single images. It names
            the options that fit what is there.
    """
    if not root.is_dir():
        raise UserError(
            f"data.root={root}: there is no such folder. If it has moved: data.root=PLACE."
        )
    if not (root / images).exists():
        if root.name == images.name and (root.parent / masks).is_dir():
            raise UserError(
                f"{root} is the folder of the images alone. Give the one above: "
                f"{shlex.quote(f'data={root.parent}')}."
            )
        _propose_inner_folders(root, images, masks)
        raise UserError(
            f"There is no folder or list {root / images}. {_pictures(root)}"
            f"{_proposed(root, None if (root / masks).exists() else masks)}"
        )
    if is_pattern(masks):
        return
    if not (root / masks).exists():
        example = f"{masks}/NAME.png for {images}/NAME.jpg"
        others = [f for f in _with_pictures(root) if f != images.as_posix()]
        option = f"data.masks={others[0]}" if len(others) == 1 else "data.masks"
        raise UserError(
            f"There is no folder {root / masks}. {_pictures(root)}Set {option}, or put the masks "
            f"there: {example}."
        )
    _require_no_folder_per_mask(root, images, masks)


def _with_pictures(root: Path) -> Counter[str]:
    """The folders that hold pictures, and how many."""
    found = [f for f in files_below(root) if f.suffix.lower() in MASK_SUFFIXES]
    folders = Counter(file.parent.relative_to(root).as_posix() for file in found)
    for folder in _of_vectors(root):
        del folders[folder]
    return folders


def _of_vectors(root: Path) -> dict[str, str]:
    """Folders of arrays that are no pictures, and the option for what they hold."""
    arrays = [f for f in files_below(root) if f.suffix.lower() in ARRAY_SUFFIXES]
    first = {file.parent: file for file in reversed(arrays)}
    options = {}
    for folder, file in first.items():
        vector = vector_in(file)
        if vector is not None and vector.dtype.kind in "OU":
            option = f"Names of classes: data.names={file.relative_to(root)}. "
        elif vector is not None:
            option = f"Classes of whole images: data.image_labels={folder}. "
        else:
            continue
        options[folder.relative_to(root).as_posix()] = option
    return options


def _proposed(root: Path, masks: Path | None) -> str:
    """The options for images (and masks, if they are missing), as far as the folders tell."""
    names = [*_with_pictures(root)]
    if len(names) == 1:
        # In quotes, as a full stop may follow that of the folder itself.
        options = [f"'data.{kind}={names[0]}'" for kind in ("images", "masks")[: 1 + bool(masks)]]
        return f"Set {' '.join(options)}."
    of_masks = [name for name in names if re.search(MASK_WORDS, name, re.IGNORECASE)]
    if masks is not None and len(names) == 2 and len(of_masks) == 1:
        images = next(name for name in names if name not in of_masks)
        return f"Set data.images={images} data.masks={of_masks[0]}, if these are the masks."
    return "Set data.images" + (", and data.masks." if masks is not None else ".")


def _pictures(root: Path) -> str:
    """The folders that hold pictures, in a sentence."""
    count = _with_pictures(root)
    if not count:
        return f"{root} holds no pictures. "
    named = [f"{folder} ({number})" for folder, number in count.most_common(NAMED_FOLDERS)]
    more = ", ..." if len(count) > NAMED_FOLDERS else ""
    others = "".join(_of_vectors(root).values())
    return f"Folders with pictures in {root}: {', '.join(named)}{more}. {others}"


def _propose_inner_folders(root: Path, images: Path, masks: Path) -> None:
    below = _folders(root)
    for inner in (below, *map(_folders, below)):  # ID/images, or train/ID/images
        both = [folder for folder in inner if (folder / masks).is_dir()]
        both = [folder for folder in both if (folder / images).is_dir()]
        if not both:
            continue
        if inner is below and len(files_below(both[0] / images)) > 1:
            raise UserError(_of_training(root, images, masks, both))
        place = both[0].parent.relative_to(root) / NAME / masks
        raise UserError(
            f"There is no folder {root / images}, but {len(both)} folders such as "
            f"{(both[0] / masks).relative_to(root)}. If each holds one image and its masks: "
            f"data.images=. data.masks={place.as_posix()}."
        )


def _of_training(root: Path, images: Path, masks: Path, both: Sequence[Path]) -> str:
    """What to set for train/images and val/images."""
    first = next((folder for folder in both if "train" in folder.name), both[0]).name
    val = [f.name for f in both if f.name.startswith("val")]
    return (
        f"There is no folder {root / images}, but {first}/{images}. Set data.images="
        f"{first}/{images} data.masks={first}/{masks}"
        + (f" data.val={val[0]}." if val and val[0] != first else ".")
    )


def _require_no_folder_per_mask(root: Path, images: Path, masks: Path) -> None:
    if not (root / images).is_dir():
        return
    stems = {file.stem for file in files_below(root / images)}
    stems -= {folder.name for folder in _folders(root / images)}
    inner = next((f for f in _folders(root / masks) if f.name in stems), None)
    if inner is not None:
        raise UserError(
            f"{inner} is a folder with the name of an image. If it holds one mask for each "
            f"object of that image: data.masks={masks.as_posix()}/{NAME}."
        )


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return sorted(f for f in place.iterdir() if f.is_dir() and not f.name.startswith("."))
