"""Your own images: a folder with `images/` and `masks/`, or lists, or a small YAML file."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from fewmask.batch import IGNORE
from fewmask.config import read_yaml
from fewmask.data.classes import numbered
from fewmask.data.dataset import real_files
from fewmask.data.files import Files
from fewmask.data.image_files import unread_pictures
from fewmask.data.label_table import LabelTable
from fewmask.data.lists.reading import match_names, read_lines
from fewmask.data.pool.shard_files import is_remote
from fewmask.data.source import Data, DataSource, Inventory
from fewmask.data.sources.folder_classes import folder_classes, invent_names
from fewmask.data.sources.pairing import pair, pair_all, require_masks
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
        """A folder of images (with subfolders), or a .txt list of them, one path per line."""
        masks: Path = Path("masks")
        """A folder of masks. A mask has the name of its image, apart from the extension, and lies
        in the same subfolder."""
        labeled: int | Path | None = None
        """Which images count as labeled: null for all with a mask, a number of them to draw, or a
        .txt list of names. The other images with a mask are then used as unlabeled."""
        val: Path | None = None
        """Images to evaluate on: a .txt list of names, or a folder with images/ and masks/. null
        holds out some of the images with masks."""
        val_fraction: float = Field(default=0.2, gt=0, lt=1)
        """Share of the images with masks that is held out if val is not given."""
        split_seed: int = 0
        """Random seed for what is held out and what counts as labeled. The run's own seed does not
        change it."""
        names: tuple[str, ...] | None = None
        """Names of the classes, in order of their labels. null counts the labels in the masks."""
        label_mapping: dict[MaskValue, Label] = {}
        """Mask value to label, for masks whose values are not 0..K-1."""
        palette: dict[Color, Label] = {}
        """Color to label, for masks whose colors are the classes: {"#000000": 0, "#ff0000": 1}.
        255 means: no label."""
        ignore: tuple[Label, ...] = (IGNORE,)
        """Mask values that mean: no label."""

        def label_table(self, num_classes: int) -> LabelTable:
            """How values in the masks become labels."""
            palette = {int(color[1:], 16): label for color, label in self.palette.items()}
            return LabelTable(num_classes, self.label_mapping, self.ignore, palette)

    config: Config

    def open(self) -> Data:
        """Pairs images with masks by name and divides them into labeled, unlabeled and val."""
        self._require_root()
        config, notes = self.config, []
        files = pair_all(config.root / config.images, config.root / config.masks)
        names = self._names(files)
        if config.names is None:
            notes.append(
                f"data.names is not set: the masks hold labels up to {len(names) - 1}, so there "
                f"are {len(names)} classes."
            )
        labels = config.label_table(len(names))
        files = replace(files, labels=labels)
        candidates = [i for i, mask in enumerate(files.masks) if mask is not None]
        if config.val is None:
            held_out = self._hold_out(files, candidates)
            val = files.subset(held_out)
            candidates = sorted(set(candidates) - set(held_out))
            notes.append(
                f"data.val is not set: {len(held_out)} image(s) with masks are held out for "
                f"evaluation (data.split_seed={config.split_seed})."
            )
        else:
            val = self._given_val(files, config.root / config.val)
        free = _outside(files, val)
        labeled = self._labeled(files, candidates, set(free))
        unlabeled = sorted(set(free) - set(labeled))
        classes = folder_classes(names, labels)
        return Data(classes, files.subset(labeled), files.subset(unlabeled), val, tuple(notes))

    def _require_root(self) -> None:
        if not self.config.root.is_dir():
            raise UserError(f"data.root={self.config.root}: there is no such folder.")

    def _names(self, files: Files) -> Sequence[str]:
        config = self.config
        names: Sequence[str]
        if config.names is not None:
            names = config.names
        elif config.palette:
            names = numbered(max({*config.palette.values()} - {IGNORE}, default=0) + 1)
        else:
            names = invent_names(files, config.label_mapping, config.ignore)
        if len(names) < 2 or len({*names}) < len(names):
            raise UserError(f"data.names={list(names)}: expected two classes or more, each once.")
        return names

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
            val = replace(pair_all(place / "images", place / "masks"), labels=files.labels)
        else:
            val = files.subset(match_names(read_lines(place), files.names, place))
        require_masks(val, f"data.val={place}")
        return val

    def _labeled(self, files: Files, candidates: list[int], free: set[int]) -> list[int]:
        """The images that count as labeled: all candidates outside val, some of them, or a list."""
        wanted = self.config.labeled
        if isinstance(wanted, Path):
            place = self.config.root / wanted
            # An image of val stays in the list, so that the leak is reported.
            listed = match_names(read_lines(place), files.names, place)
            require_masks(files.subset(listed), f"data.labeled={place}")
            return listed
        candidates = [i for i in candidates if i in free]
        if wanted is None:
            return candidates
        if not 0 < wanted <= len(candidates):
            raise UserError(
                f"data.labeled={wanted}: there are {len(candidates)} images with masks to draw "
                f"from, outside val. Give 1..{len(candidates)}."
            )
        # Another seed than the hold-out's, so that the two draws do not depend on each other.
        return _draw(files, candidates, wanted, self.config.split_seed + 1)

    def draws_val(self) -> bool:
        """Whether val is held out from the images with masks."""
        return self.config.val is None

    def inventory(self) -> Inventory:
        """The files as they are, with unpaired masks, and without a hold-out.

        `fewmask check` reports every problem at once, where `open` stops at the first.

        Raises:
            UserError: if there is no such folder or list.
        """
        self._require_root()
        config = self.config
        files, unpaired = pair(config.root / config.images, config.root / config.masks)
        val = files.subset([])
        place = config.root / (config.val or "")
        if config.val is not None and place.is_dir():
            val, unpaired_val = pair(place / "images", place / "masks")
            unpaired = [*unpaired, *unpaired_val]
        elif config.val is not None:
            val = files.subset(match_names(read_lines(place), files.names, place))
        rest = files.subset(_outside(files, val))
        labeled, unlabeled = _by_mask(rest, True), _by_mask(rest, False)
        val = _by_mask(val, True)
        return Inventory(
            {"labeled": labeled.images, "unlabeled": unlabeled.images, "val": val.images},
            {s: [m for m in f.masks if m] for s, f in (("labeled", labeled), ("val", val))},
            config.names,
            config.label_table(len(config.names or range(256))),
            unpaired,
            self._unread(),
            was_opened=False,
        )

    def _unread(self) -> list[Path]:
        """Pictures among the images and masks whose format is not read."""
        places = [self.config.root / place for place in (self.config.images, self.config.masks)]
        return [file for place in places if place.is_dir() for file in unread_pictures(place)]


def folder_values(path: Path) -> dict[str, Any]:
    """The options that `data=PATH` stands for: a folder is the root, a .yaml file is read.

    Paths in the file start from the file's own folder.

    Raises:
        UserError: if the file cannot be read, or a path in it is not text.
    """
    if path.is_dir():
        return {"name": "folder", "root": str(path)}
    values = {"root": ".", **read_yaml(path)}
    for key in ("root", "image_labels", "pool", "cache"):
        if key in values and not isinstance(values[key], str):
            raise UserError(f"{path}: {key}: {values[key]!r} is not a path. Write it in quotes.")
        if key in values and not is_remote(values[key]):
            values[key] = str(path.parent / values[key])
    return {"name": "folder", **values}


def _outside(files: Files, val: Files) -> list[int]:
    """The positions of the images that are not in val, under whatever path."""
    in_val = real_files(val)
    return [i for i, file in enumerate(files.images) if os.path.realpath(file) not in in_val]


def _by_mask(files: Files, has_mask: bool) -> Files:
    return files.subset([i for i, m in enumerate(files.masks) if (m is not None) == has_mask])


def _draw(files: Files, indices: Sequence[int], count: int, seed: int) -> list[int]:
    """Draws by a hash of the names, so that one image more or less hardly changes the draw."""

    def place(index: int) -> str:
        return hashlib.sha256(f"{seed} {files.names[index]}".encode()).hexdigest()

    return sorted(sorted(indices, key=place)[:count])
