"""The user's own images: a folder with `images/` and `masks/`, or lists, or a small YAML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.batch import IGNORE
from fewmask.config import UserError, read_yaml
from fewmask.data.dataset import (
    IMAGE_SUFFIXES,
    Classes,
    Data,
    DataSource,
    Files,
    LabelTable,
    read_mask,
)


class Folder(DataSource):
    """Images with or without masks. An image without a mask is unlabeled and needs no dummy mask.

    Example:
        photos/images/0001.jpg  photos/masks/0001.png   labeled
        photos/images/0002.jpg                          unlabeled
        -> fewmask train data=photos method=imas
    """

    class Config(DataSource.Config):
        """Where the files are and what the masks mean."""

        root: Path | None = None
        """The folder that the other paths start from; a .yaml file with these options is read,
        too."""
        images: Path = Path("images")
        """A folder of images (with subfolders), or a .txt list of them, one path a line."""
        masks: Path = Path("masks")
        """A folder of masks; each belongs to the image of the same stem in the same subfolder."""
        labeled: int | Path | None = None
        """Which images count as labeled: all with a mask (null), so many of them (drawn with the
        seed), or a .txt list of names; the others with a mask are then used as unlabeled."""
        val: Path | None = None
        """Images to evaluate on: a .txt list of names, or a folder with images/ and masks/; null
        holds out a part of the labeled ones."""
        val_fraction: float = 0.2
        """Share of the labeled images that is held out when val is not given."""
        names: tuple[str, ...] | None = None
        """Names of the classes, in order of their labels; null counts the labels in the masks."""
        label_mapping: dict[int, int] = {}
        """Mask value to label, for masks whose values are not 0..K-1."""
        ignore: tuple[int, ...] = (IGNORE,)
        """Mask values that mean: no label here."""

    config: Config

    def open(self, seed: int) -> Data:
        """Pairs images with masks by stem and divides them into labeled, unlabeled and val."""
        config = self.config
        self._base = config.root or Path()
        if not self._base.exists():
            raise UserError(f"data.root={self._base}: there is no such folder.")
        files = self._pair(self._base / config.images, self._base / config.masks)
        names = config.names or _count_classes(files, config)
        labels = LabelTable(len(names), config.label_mapping, config.ignore)
        files = Files(files.images, files.masks, files.names, labels, config.long_side)
        with_mask = [i for i, mask in enumerate(files.masks) if mask is not None]
        val, with_mask, note = self._val(files, with_mask, seed)
        labeled = self._labeled(files, with_mask, seed)
        taken = set(labeled) | set(with_mask if config.labeled is None else [])
        held_out = {files.images[i].resolve() for i in range(len(files))} & {
            image.resolve() for image in val.images
        }
        unlabeled = [
            i
            for i in range(len(files))
            if i not in taken and files.images[i].resolve() not in held_out
        ]
        leak = [i for i in labeled if files.images[i].resolve() in held_out]
        if leak:
            raise UserError(
                f"{len(leak)} labeled image(s) are also in val (first: {files.names[leak[0]]}). "
                "Scores on images that were trained on say nothing; take them out of data.val or "
                "data.labeled."
            )
        notes = [note] if note else []
        if config.names is None:
            notes.append(
                f"data.names is not set: found labels 0..{len(names) - 1} in the masks, so there "
                f"are "
                f"{len(names)} classes."
            )
        return Data(
            Classes(names),
            files.subset(labeled),
            files.subset(unlabeled),
            val,
            tuple(notes),
        )

    def _pair(self, images: Path, masks: Path) -> Files:
        files = list_images(images)
        mask_of = _by_stem(masks, images) if masks.is_dir() else {}
        base = images if images.is_dir() else images.parent
        names = unique_names(files, base)
        found = [mask_of.get(_stem(file, base)) or mask_of.get(file.stem) for file in files]
        if not any(found):
            where = f"in {masks}" if masks.is_dir() else f": there is no folder {masks}"
            raise UserError(
                f"None of the {len(files)} images in {images} has a mask {where}. A mask has its "
                f"image's "
                f"stem, for example {masks / (files[0].stem + '.png')}. Set data.masks."
            )
        unused = len(set(mask_of.values()) - set(found))
        if unused:
            lone = sorted(set(mask_of.values()) - set(found))[0]
            raise UserError(
                f"{unused} mask(s) in {masks} have no image in {images} (first: {lone.name}). "
                f"Add the "
                "images, or remove the masks."
            )
        return Files(files, found, names, LabelTable(256))

    def _val(
        self, files: Files, with_mask: list[int], seed: int
    ) -> tuple[Files, list[int], str | None]:
        """The images to evaluate on, the labeled ones that are left, and what to say about it."""
        val = self.config.val
        if val is None:
            count = max(1, round(len(with_mask) * self.config.val_fraction))
            if count >= len(with_mask):
                raise UserError(
                    f"There are masks for {len(with_mask)} image(s): too few to hold some out for "
                    "evaluation. Label at least two, or give data.val."
                )
            drawn = set(_draw(with_mask, count, seed))
            rest = [i for i in with_mask if i not in drawn]
            note = (
                f"data.val is not set: {count} of {len(with_mask)} labeled images are held out for "
                f"evaluation (seed {seed})."
            )
            return files.subset(sorted(drawn)), rest, note
        place = self._base / val
        if place.is_dir():
            pair = self._pair(place / "images", place / "masks")
            held_out = Files(pair.images, pair.masks, pair.names, files.labels, files.long_side)
            lacking = [n for n, mask in zip(pair.names, pair.masks, strict=True) if mask is None]
        else:
            chosen = pick_names(read_list(place), files, place)
            held_out = files.subset(chosen)
            lacking = [files.names[i] for i in chosen if files.masks[i] is None]
        if lacking:
            raise UserError(
                f"data.val={place}: {len(lacking)} image(s) have no mask (first: {lacking[0]}); "
                f"evaluation "
                "needs one for each."
            )
        inside = {image.resolve() for image in held_out.images}
        if self.config.labeled is None:
            with_mask = [i for i in with_mask if files.images[i].resolve() not in inside]
        return held_out, with_mask, None

    def _labeled(self, files: Files, with_mask: list[int], seed: int) -> list[int]:
        labeled = self.config.labeled
        if labeled is None:
            return with_mask
        if isinstance(labeled, int):
            if not 0 < labeled <= len(with_mask):
                raise UserError(
                    f"data.labeled={labeled}: there are {len(with_mask)} images with masks to "
                    f"draw from. "
                    f"Give 1..{len(with_mask)}."
                )
            return _draw(with_mask, labeled, seed + 1)
        place = self._base / labeled
        chosen = pick_names(read_list(place), files, place)
        lacking = [files.names[i] for i in chosen if files.masks[i] is None]
        if lacking:
            raise UserError(
                f"data.labeled={place}: {len(lacking)} image(s) have no mask (first: {lacking[0]})."
            )
        return chosen


def folder_values(path: Path) -> dict[str, Any]:
    """The options behind `data=PATH`: a folder becomes its root, a .yaml file is read.

    Paths inside the file start from the file's own folder unless it sets a root.
    """
    if path.is_dir():
        return {"name": "folder", "root": str(path)}
    values = read_yaml(path)
    root = path.parent / values.get("root", ".")
    return {"name": "folder", **values, "root": str(root)}


def list_images(place: Path) -> list[Path]:
    """The image files of a folder (with subfolders, sorted) or of a .txt list.

    Raises:
        UserError: if there is no such place, no image in it, or a listed file is missing.
    """
    if place.is_dir():
        files = sorted(f for f in place.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise UserError(f"{place} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
        return files
    if not place.exists():
        raise UserError(f"There is no folder or list {place}. Set data.root or data.images.")
    files = [_resolve(line, place.parent) for line in read_list(place)]
    for file in files:
        if not file.is_file():
            raise UserError(f"{place} lists {file}, but there is no such file.")
    return files


def read_list(file: Path) -> list[str]:
    """The lines of a .txt list, without blank ones and `#` comments.

    Raises:
        UserError: if the file is missing, empty, no text, or names something twice.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the list {file}: {error}") from None
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise UserError(f"The list {file} is empty; expected one name a line.")
    if len(set(lines)) < len(lines):
        twice = next(line for i, line in enumerate(lines) if line in lines[:i])
        raise UserError(f"The list {file} names '{twice}' twice; name each image once.")
    return lines


def pick_names(wanted: Sequence[str], files: Files, source: Path) -> list[int]:
    """Positions of listed names; a line may be a name, a file name or a path.

    Raises:
        UserError: for a line without an image.
    """
    by_name = {name: i for i, name in enumerate(files.names)}
    by_stem = {file.stem: i for i, file in enumerate(files.images)}
    picked = []
    for line in wanted:
        index = by_name.get(line, by_name.get(str(Path(line).with_suffix(""))))
        index = by_stem.get(Path(line).stem) if index is None else index
        if index is None:
            raise UserError(
                f"{source} lists '{line}', but there is no such image. Names look like "
                f"'{files.names[0]}'."
            )
        picked.append(index)
    return picked


def unique_names(files: Sequence[Path], base: Path) -> list[str]:
    """One name per file: its path below `base`, with its suffix where two would else be equal."""
    stems = [_stem(file, base) for file in files]
    twice = {
        stem for stem, count in zip(*np.unique(stems, return_counts=True), strict=True) if count > 1
    }
    return [
        stem if stem not in twice else stem + file.suffix
        for stem, file in zip(stems, files, strict=True)
    ]


def _stem(file: Path, base: Path) -> str:
    inside = file.relative_to(base) if file.is_relative_to(base) else file
    return inside.with_suffix("").as_posix()


def _by_stem(masks: Path, images: Path) -> dict[str, Path]:
    """Masks by their path below the folder, without suffix."""
    found: dict[str, Path] = {}
    for mask in sorted(f for f in masks.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES):
        stem = _stem(mask, masks)
        if stem in found:
            raise UserError(f"Two masks for one image: {found[stem]} and {mask}. Keep one of them.")
        found[stem] = mask
    return found


def _resolve(line: str, base: Path) -> Path:
    return Path(line) if Path(line).is_absolute() else base / line


def _draw(indices: Sequence[int], count: int, seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return sorted(rng.choice(np.asarray(indices), size=count, replace=False).tolist())


def _count_classes(files: Files, config: Folder.Config) -> tuple[str, ...]:
    """Invents names for the labels found in the masks, when the user gave none."""
    values: set[int] = set()
    for mask in files.masks:
        if mask is not None:
            values |= set(np.unique(read_mask(mask)).tolist())
    labels = {
        config.label_mapping.get(v, v)
        for v in values
        if v in config.label_mapping or v not in config.ignore
    }
    labels.discard(IGNORE)
    if len(labels) < 2:
        raise UserError(
            f"The masks hold the value(s) {sorted(values)}, of which {sorted(config.ignore)} mean "
            "'no label': that leaves fewer than two classes. If 255 is your object, set "
            "data.label_mapping='{255: 1}'."
        )
    if max(labels) >= 2 * len(labels) + 8:
        raise UserError(
            f"The masks hold the values {sorted(values)}, which do not look like labels 0..K-1. "
            f"Set "
            "data.label_mapping (value to label) and data.names."
        )
    return tuple(f"class {label}" for label in range(max(labels) + 1))
