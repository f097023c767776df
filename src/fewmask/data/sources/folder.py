"""Your own images: a folder with `images/` and `masks/`, or lists, or a small YAML file."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any

from fewmask.batch import IGNORE
from fewmask.config import read_yaml, trust
from fewmask.data.classes import numbered
from fewmask.data.files import Files
from fewmask.data.image_files import files_below, unread_pictures
from fewmask.data.lists.reading import match_names, read_lines
from fewmask.data.pool.shard_files import is_remote
from fewmask.data.source import Data, DataSource, Inventory
from fewmask.data.sources.folder_classes import folder_classes, invent_names
from fewmask.data.sources.folder_layout import require_layout
from fewmask.data.sources.folder_options import FolderOptions
from fewmask.data.sources.folder_subsets import by_mask, divide, outside
from fewmask.data.sources.pairing import pair, pair_all, require_masks
from fewmask.errors import UserError, listed


class Folder(DataSource):
    """Images with or without masks. An image without a mask is unlabeled and needs no dummy mask.

    Example:
        photos/images/0001.jpg  photos/masks/0001.png   labeled
        photos/images/0002.jpg                          unlabeled
        -> fewmask train data=photos method=imas
    """

    class Config(FolderOptions):
        """Where the files are and what the masks mean."""

    config: Config

    def open(self) -> Data:
        """Pairs images with masks by name and divides them into labeled, unlabeled and val."""
        config, notes = self.config, []
        require_layout(config.root, config.images, config.masks)
        files = pair_all(*config.places(), config.affixes())
        if unread := self._unread_masks(files):
            notes.append(
                f"{len(unread)} file(s) among the masks are not read (first: {unread[0].name}), "
                "because of their kind or name: their images count as unlabeled."
            )
        names, doubts = self._names(files)
        notes += doubts
        if config.names is None:
            notes.append(
                f"data.names is not set: the masks hold labels up to {len(names) - 1}, so there "
                f"are {len(names)} classes."
            )
        labels = config.label_table(len(names))
        files = replace(files, labels=labels, resizes_masks=config.resize_masks)
        val = None if config.val is None else self._given_val(files, config.root / config.val)
        subsets = divide(files, val, config.wish())
        if val is None:
            notes.append(
                f"data.val is not set: {len(subsets.val)} image(s) with masks are held out for "
                f"evaluation (data.split_seed={config.split_seed})."
            )
        return Data(folder_classes(names, labels), *subsets, tuple(notes))

    def _names(self, files: Files) -> tuple[Sequence[str], list[str]]:
        """The names of the classes, and what the user should look at."""
        config = self.config
        names: Sequence[str]
        doubts: list[str] = []
        if config.names is not None:
            names = config.names
        elif config.palette:
            names = numbered(max({*config.palette.values()} - {IGNORE}, default=0) + 1)
        else:
            masks = [*files.masks, *self._masks_of_val()]
            names, doubts = invent_names(masks, config.label_table(IGNORE))
        if len(names) < 2 or len({*names}) < len(names):
            wrong = [name for name, count in Counter(names).items() if count > 1] or [*names]
            raise UserError(
                f"data.names holds {listed(wrong) or 'nothing'}: expected two classes or more, "
                "each once."
            )
        return names, doubts

    def _given_val(self, files: Files, place: Path) -> Files:
        if place.is_dir():
            val = pair_all(*self.config.places_of_val(place), self.config.affixes())
            val = replace(val, labels=files.labels, resizes_masks=files.resizes_masks)
        else:
            val = files.subset(match_names(read_lines(place), files.names, place))
        require_masks(val, f"data.val={place}")
        return val

    def _masks_of_val(self) -> Sequence[Path | None]:
        """The masks of val, if it has a folder of its own."""
        place = self.config.root / (self.config.val or "")
        if self.config.val is None or not place.is_dir():
            return ()
        return pair(*self.config.places_of_val(place), self.config.affixes())[0].masks

    def draws_val(self) -> bool:
        """Whether val is held out from the images with masks."""
        return self.config.val is None

    def inventory(self) -> Inventory:
        """The files that a run would use, and masks without an image.

        `fewmask check` reports every problem at once, where `open` stops at the first.

        Raises:
            UserError: if there is no such folder or list.
        """
        config = self.config
        require_layout(config.root, config.images, config.masks)
        files, unpaired = pair(*config.places(), config.affixes())
        val, place = None, config.root / (config.val or "")
        if config.val is not None and place.is_dir():
            val, unpaired_val = pair(*config.places_of_val(place), config.affixes())
            unpaired = [*unpaired, *unpaired_val]
        elif config.val is not None:
            val = files.subset(match_names(read_lines(place), files.names, place))
        try:
            labeled, unlabeled, val = divide(files, val, config.wish())
        except UserError:  # training refuses it too, and the check goes on with all masks
            val = val or files.subset([])
            rest = files.subset(outside(files, val))
            labeled, unlabeled = by_mask(rest, True), by_mask(rest, False)
        val = by_mask(val, True)
        return Inventory(
            {"labeled": labeled.images, "unlabeled": unlabeled.images, "val": val.images},
            {s: [m for m in f.masks if m] for s, f in (("labeled", labeled), ("val", val))},
            config.names,
            config.label_table(len(config.names or range(256))),
            unpaired,
            self._unread(files, {*unpaired}),
            config.resize_masks,
            was_opened=False,
        )

    def _unread(self, files: Files, unpaired: AbstractSet[Path]) -> list[Path]:
        """Pictures among the images and masks that are not read, and not reported as unpaired."""
        images, _ = self.config.places()
        masks = {*files.masks}
        found = [f for f in unread_pictures(images) if f not in masks] if images.is_dir() else []
        return [file for file in found + self._unread_masks(files) if file not in unpaired]

    def _unread_masks(self, files: Files) -> list[Path]:
        """Files among the masks that are named like an image without a mask."""
        _, masks = self.config.places()
        without = {i.stem for i, m in zip(files.images, files.masks, strict=True) if m is None}
        used = {*files.masks, *files.images}
        found = files_below(masks) if masks.is_dir() else []
        return [file for file in found if file.stem in without and file not in used]


def folder_values(path: Path) -> dict[str, Any]:
    """The options that `data=PATH` stands for: a folder is the root, a .yaml file is read.

    Paths in the file start from the file's own folder. It may have come with the data, from a
    stranger: it names no code, no URL, and no folder elsewhere to be filled, unless it is trusted.

    Raises:
        UserError: if the file cannot be read, asks for more, or a path in it is not text.
    """
    if path.is_dir():
        return {"name": "folder", "root": str(path)}
    values = {"root": ".", **read_yaml(path)}
    _require_followed(values, path)
    for key in ("root", "image_labels", "pool", "cache"):
        if key in values and not isinstance(values[key], str):
            raise UserError(f"{path}: {key}: {values[key]!r} is not a path. Write it in quotes.")
        if key in values and not is_remote(values[key]):
            values[key] = str(path.parent / os.path.expanduser(values[key]))
    return {"name": "folder", **values}


def _require_followed(values: Mapping[str, Any], file: Path) -> None:
    wanted, folder = trust.names_in(values, "data"), file.parent.resolve()
    pool, cache = str(values.get("pool", "")), values.get("cache")
    if is_remote(pool):
        wanted["data.pool"] = pool
    if cache and "\0" not in str(cache):  # which is refused later
        place = os.path.realpath(folder / os.path.expanduser(str(cache)))
        if not Path(place).is_relative_to(folder):
            wanted["data.cache"] = str(cache)
    trust.require_trusted(wanted, file)
