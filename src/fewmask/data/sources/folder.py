"""The user's own images: a folder with `images/` and `masks/`, or lists, or a small YAML file."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from fewmask.batch import IGNORE
from fewmask.config import read_yaml
from fewmask.data.dataset import Classes, Data, DataSource, default_colors
from fewmask.data.files import Files, LabelTable
from fewmask.data.images import read_mask
from fewmask.data.lists.published import read_lines
from fewmask.data.lists.reading import (
    list_images,
    masks_by_stem,
    pick_names,
    stem,
    unique_names,
    unread_pictures,
)
from fewmask.data.pool.shard_files import is_remote
from fewmask.errors import UserError

Label = Annotated[int, Field(ge=0, le=255)]
MaskValue = Annotated[int, Field(ge=0, le=65535)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class Folder(DataSource):
    """Images with or without masks. An image without a mask is unlabeled and needs no dummy mask.

    Example:
        photos/images/0001.jpg  photos/masks/0001.png   labeled
        photos/images/0002.jpg                          unlabeled
        -> fewmask train data=photos method=imas
    """

    class Config(DataSource.Config):
        """Where the files are and what the masks mean."""

        root: Path = Path()
        """The folder that the other paths start from."""
        images: Path = Path("images")
        """A folder of images (with subfolders), or a .txt list of them, one path a line."""
        masks: Path = Path("masks")
        """A folder of masks; each belongs to the image of the same stem in the same subfolder."""
        labeled: int | Path | None = None
        """Which images count as labeled: all with a mask (null), so many of them (drawn), or a .txt
        list of names; the others with a mask are then used as unlabeled."""
        val: Path | None = None
        """Images to evaluate on: a .txt list of names, or a folder with images/ and masks/; null
        holds out a part of the labeled ones."""
        val_fraction: float = Field(default=0.2, gt=0, lt=1)
        """Share of the images with masks that is held out when val is not given."""
        split_seed: int = 0
        """Draws what is held out and what counts as labeled; the run's seed does not change it."""
        names: tuple[str, ...] | None = None
        """Names of the classes, in order of their labels; null counts the labels in the masks."""
        label_mapping: dict[MaskValue, Label] = {}
        """Mask value to label, for masks whose values are not 0..K-1."""
        palette: dict[Color, Label] = {}
        """Color to label, for masks whose colors are the classes: {"#000000": 0, "#ff0000": 1};
        255 means: no label."""
        ignore: tuple[Label, ...] = (IGNORE,)
        """Mask values that mean: no label here."""

        def label_table(self, num_classes: int) -> LabelTable:
            """How values in the masks become labels."""
            palette = {int(color[1:], 16): label for color, label in self.palette.items()}
            return LabelTable(num_classes, self.label_mapping, self.ignore, palette)

    config: Config

    def lenient_sets(self) -> tuple[dict[str, Files], list[Path]]:
        """Labeled, unlabeled and val files, and the masks without an image; nothing is held out.

        For `fewmask check`, which says what is wrong instead of stopping at it.

        Raises:
            UserError: if there is no such folder or list.
        """
        config = self.config
        if not config.root.is_dir():
            raise UserError(f"data.root={config.root}: there is no such folder.")
        files, lone = pair(config.root / config.images, config.root / config.masks)
        val = files.subset([])
        place = config.root / (config.val or "")
        if config.val is not None and place.is_dir():
            val, lone_val = pair(place / "images", place / "masks")
            lone = [*lone, *lone_val]
        elif config.val is not None:
            val = files.subset(pick_names(read_lines(place), files, place))
        in_val = {os.path.realpath(file) for file in val.images}
        rest = [i for i, file in enumerate(files.images) if os.path.realpath(file) not in in_val]
        sets = {
            "labeled": files.subset([i for i in rest if files.masks[i] is not None]),
            "unlabeled": files.subset([i for i in rest if files.masks[i] is None]),
            "val": val.subset([i for i, mask in enumerate(val.masks) if mask is not None]),
        }
        return sets, lone

    def unread(self) -> list[Path]:
        """Pictures among the images and masks that are of kinds nothing here reads."""
        places = [self.config.root / place for place in (self.config.images, self.config.masks)]
        return [file for place in places if place.is_dir() for file in unread_pictures(place)]

    def open(self) -> Data:
        """Pairs images with masks by stem and divides them into labeled, unlabeled and val."""
        config, notes = self.config, []
        if not config.root.is_dir():
            raise UserError(f"data.root={config.root}: there is no such folder.")
        files = _pair(config.root / config.images, config.root / config.masks)
        names = config.names or _invent_names(files, config)
        if config.names is None:
            notes.append(
                f"data.names is not set: the masks hold labels up to {len(names) - 1}, so there "
                f"are {len(names)} classes."
            )
        if len(names) < 2 or len({*names}) < len(names):
            raise UserError(f"data.names={list(names)}: expected two classes or more, each once.")
        labels = config.label_table(len(names))
        memory: dict[Path, np.ndarray] | None = {} if config.in_memory else None
        files = replace(files, labels=labels, long_side=config.long_side, memory=memory)
        candidates = [i for i, mask in enumerate(files.masks) if mask is not None]
        if config.val is None:
            held_out = self._hold_out(files, candidates)
            val = files.subset(held_out)
            candidates = sorted(set(candidates) - set(held_out))
            notes.append(
                f"data.val is not set: {len(held_out)} images with masks are held out for "
                f"evaluation (data.split_seed={config.split_seed})."
            )
        else:
            val = self._given_val(files, config.root / config.val)
        in_val = {os.path.realpath(file) for file in val.images}
        free = [i for i, file in enumerate(files.images) if os.path.realpath(file) not in in_val]
        labeled = self._labeled(files, candidates, set(free))
        unlabeled = sorted(set(free) - set(labeled))
        classes = _classes(names, labels)
        return Data(classes, files.subset(labeled), files.subset(unlabeled), val, tuple(notes))

    def _hold_out(self, files: Files, candidates: list[int]) -> list[int]:
        count = max(1, round(len(candidates) * self.config.val_fraction))
        if count >= len(candidates):
            raise UserError(
                f"There are masks for {len(candidates)} image(s): too few to hold some out for "
                "evaluation. Label at least two, or give data.val."
            )
        return _draw(files, candidates, count, self.config.split_seed)

    def _given_val(self, files: Files, place: Path) -> Files:
        if place.is_dir():
            pairs = _pair(place / "images", place / "masks")
            val = replace(
                pairs, labels=files.labels, long_side=files.long_side, memory=files.memory
            )
        else:
            val = files.subset(pick_names(read_lines(place), files, place))
        _require_masks(val, f"data.val={place}")
        return val

    def _labeled(self, files: Files, candidates: list[int], free: set[int]) -> list[int]:
        """The images that count as labeled: all candidates outside val, some of them, or a list."""
        wanted = self.config.labeled
        if isinstance(wanted, Path):
            place = self.config.root / wanted
            chosen = pick_names(read_lines(place), files, place)  # one that is in val is an error
            _require_masks(files.subset(chosen), f"data.labeled={place}")
            return chosen
        candidates = [i for i in candidates if i in free]
        if wanted is None:
            return candidates
        if not 0 < wanted <= len(candidates):
            raise UserError(
                f"data.labeled={wanted}: there are {len(candidates)} images with masks to draw "
                f"from, outside val. Give 1..{len(candidates)}."
            )
        return _draw(files, candidates, wanted, self.config.split_seed + 1)


def folder_values(path: Path) -> dict[str, Any]:
    """The options behind `data=PATH`: a folder becomes its root, a .yaml file is read.

    Paths inside the file start from the file's own folder.
    """
    if path.is_dir():
        return {"name": "folder", "root": str(path)}
    values = {"root": ".", **read_yaml(path)}
    for key in ("root", "image_labels", "pool", "cache"):
        if key in values and not isinstance(values[key], str):
            raise UserError(f"{path}: {key}: {values[key]!r} is no path; write it in quotes.")
        if key in values and not is_remote(values[key]):
            values[key] = str(path.parent / values[key])
    return {"name": "folder", **values}


def pair(images: Path, masks: Path) -> tuple[Files, list[Path]]:
    """Every image with its mask, if there is one; and the masks that have found no image."""
    files = list_images(images)
    base = images if images.is_dir() else images.parent
    mask_of = masks_by_stem(masks) if masks.is_dir() else {}
    found = [mask_of.get(stem(file, base)) for file in files]
    taken, bare = {*found}, Counter(file.stem for file in files)
    for i, file in enumerate(files):  # a mask directly under masks/ of an image in a subfolder
        mask = mask_of.get(file.stem)
        if found[i] is None and mask not in taken and bare[file.stem] == 1:
            found[i] = mask
    lone = sorted(set(mask_of.values()) - set(found))
    return Files(files, found, unique_names(files, base), LabelTable(num_classes=256)), lone


def _pair(images: Path, masks: Path) -> Files:
    """Like `pair`, but every mask must have found its image."""
    paired, lone = pair(images, masks)
    files, found = paired.images, paired.masks
    owners = Counter(mask for mask in found if mask is not None)
    if shared := next((mask for mask, count in owners.items() if count > 1), None):
        name = files[found.index(shared)].stem
        raise UserError(
            f"Two images in {images} are called '{name}', and one mask is: {shared}. Rename one of "
            "them."
        )
    if not any(found):
        where = f"in {masks}" if masks.is_dir() else f": there is no folder {masks}"
        example = masks / f"{files[0].stem}.png"
        raise UserError(
            f"None of the {len(files)} images in {images} has a mask {where}. A mask has its "
            f"image's stem, for example {example}. Set data.masks."
        )
    if lone:
        raise UserError(
            f"{len(lone)} mask(s) in {masks} have no image in {images} (first: {lone[0].name}). "
            "Add the images, or remove the masks."
        )
    return paired


def _require_masks(files: Files, option: str) -> None:
    lacking = [name for name, mask in zip(files.names, files.masks, strict=True) if mask is None]
    if lacking:
        raise UserError(
            f"{option}: {len(lacking)} image(s) have no mask (first: {lacking[0]}). Add the masks, "
            "or leave the images out."
        )


def _invent_names(files: Files, config: Folder.Config) -> tuple[str, ...]:
    """Names for the labels found in the masks, when the user gave none."""
    if config.palette:
        return _numbered(max({*config.palette.values()} - {IGNORE}, default=0))
    masks = [mask for mask in files.masks if mask is not None]
    values = sorted({int(v) for mask in masks for v in np.unique(read_mask(mask))})
    kept = [v for v in values if v in config.label_mapping or v not in config.ignore]
    labels = {config.label_mapping.get(v, v) for v in kept} - {IGNORE}
    if len(labels) < 2:
        raise UserError(
            f"The masks hold the value(s) {values}, of which {sorted(config.ignore)} mean 'no "
            "label': that leaves fewer than two classes. "
            + (
                "If 255 is your object, set data.label_mapping='{255: 1}'."
                if IGNORE in values
                else "Label a second one."
            )
        )
    if max(labels) >= 2 * len(labels) + 8:
        raise UserError(
            f"The masks hold the values {values}, which do not look like labels 0..K-1. Set "
            "data.label_mapping (value to label) and data.names."
        )
    return _numbered(max(labels))


def _classes(names: Sequence[str], labels: LabelTable) -> Classes:
    """The classes, with the colors and mask values that the user's own files have."""
    color = next((c for c, label in labels.palette.items() if label == IGNORE), None)
    ignored = {*labels.ignore} - labels.mapping.keys()
    ignored |= {value for value, label in labels.mapping.items() if label == IGNORE}
    spare = sorted(value for value in ignored if value <= 255)
    no_label = spare[-1] if spare else None
    if labels.palette:
        no_label = None if color is None else IGNORE
    colors: list[Sequence[int]] = list(default_colors(len(names)))
    for c, label in labels.palette.items():
        if label != IGNORE:
            colors[label] = _rgb(c)
    values = list(range(len(names)))
    for value, label in sorted(labels.mapping.items(), reverse=True):
        if label != IGNORE:
            values[label] = value
    return Classes(names, colors, values, no_label, _rgb(0xFFFFFF if color is None else color))


def _rgb(color: int) -> tuple[int, int, int]:
    return color >> 16, (color >> 8) & 255, color & 255


def _numbered(last: int) -> tuple[str, ...]:
    return tuple(f"class {label}" for label in range(last + 1))


def _draw(files: Files, indices: Sequence[int], count: int, seed: int) -> list[int]:
    """Draws by a hash of the names: an image more or less changes the draw as little as can be."""

    def place(index: int) -> str:
        return hashlib.sha256(f"{seed} {files.names[index]}".encode()).hexdigest()

    return sorted(sorted(indices, key=place)[:count])
