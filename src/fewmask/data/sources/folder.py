"""Your own images: a folder with `images/` and `masks/`, or lists, or a small YAML file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from fewmask.batch import IGNORE
from fewmask.config import read_yaml
from fewmask.data.affixes import Affixes
from fewmask.data.classes import numbered
from fewmask.data.files import Files
from fewmask.data.image_files import files_below, unread_pictures
from fewmask.data.label_table import LabelTable
from fewmask.data.lists.reading import match_names, read_lines
from fewmask.data.pool.shard_files import is_remote
from fewmask.data.source import Data, DataSource, Inventory
from fewmask.data.sources.folder_classes import folder_classes, invent_names
from fewmask.data.sources.folder_slips import (
    names_in_order,
    number_or_list,
    several,
    spaced,
    with_hash,
    without_extension,
)
from fewmask.data.sources.folder_subsets import Wish, by_mask, divide, outside
from fewmask.data.sources.pairing import pair, pair_all, require_masks
from fewmask.errors import UserError

Label = Annotated[int, Field(ge=0, le=255)]
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
        mask_suffix: str = ""
        """The end of the names of masks, which does not count: _mask for p1.jpg and p1_mask.png.
        Images and masks may then lie in one folder."""
        mask_prefix: str = ""
        """The beginning of the names of masks, which does not count."""
        image_suffix: str = ""
        """The end of the names of images, which does not count."""
        labeled: Annotated[int | Path | None, BeforeValidator(number_or_list)] = None
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
        names: Annotated[tuple[str, ...], BeforeValidator(names_in_order)] | None = None
        """Names of the classes, in order of their labels; or {0: soil, 1: weed}. null counts the
        labels in the masks."""
        label_mapping: Annotated[dict[int, Label], BeforeValidator(spaced)] = {}
        """Mask value to label, for masks whose values are not 0..K-1. 255 means: no label. A value
        that stands here means what stands here, and is not asked about."""
        binary: bool = False
        """Whether all mask values above 0 are class 1: masks of 0 and 255, or with a number for
        each object. What `label_mapping` and `ignore` name means what they say."""
        palette: Annotated[dict[Color, Label], BeforeValidator(with_hash)] = {}
        """Color to label, for masks whose colors are the classes: {"#000000": 0, "#ff0000": 1}.
        255 means: no label."""
        ignore: Annotated[tuple[int, ...] | None, BeforeValidator(several)] = None
        """Mask values that mean: no label. null: 255, or none with `binary`."""

        def label_table(self, num_classes: int) -> LabelTable:
            """How values in the masks become labels."""
            palette = {int(color[1:], 16): label for color, label in self.palette.items()}
            ignore = self.ignore
            if ignore is None:
                ignore = () if self.binary else (IGNORE,)
            return LabelTable(num_classes, self.label_mapping, ignore, palette, self.binary)

    config: Config

    @property
    def affixes(self) -> Affixes:
        """What does not count in names."""
        config = self.config
        ends = (without_extension(end) for end in (config.mask_suffix, config.image_suffix))
        return Affixes(config.mask_prefix, *ends)

    def open(self) -> Data:
        """Pairs images with masks by name and divides them into labeled, unlabeled and val."""
        self._require_root()
        config, notes = self.config, []
        files = pair_all(config.root / config.images, config.root / config.masks, self.affixes)
        if unread := self._unread_masks(files):
            notes.append(
                f"{len(unread)} file(s) among the masks are not read (first: {unread[0].name}), "
                "for their kind or their name: their images count as unlabeled."
            )
        names, doubts = self._names(files)
        notes += doubts
        if config.names is None:
            notes.append(
                f"data.names is not set: the masks hold labels up to {len(names) - 1}, so there "
                f"are {len(names)} classes."
            )
        labels = config.label_table(len(names))
        files = replace(files, labels=labels)
        val = None if config.val is None else self._given_val(files, config.root / config.val)
        subsets = divide(files, val, self._wish())
        if val is None:
            notes.append(
                f"data.val is not set: {len(subsets.val)} image(s) with masks are held out for "
                f"evaluation (data.split_seed={config.split_seed})."
            )
        return Data(folder_classes(names, labels), *subsets, tuple(notes))

    def _require_root(self) -> None:
        if not self.config.root.is_dir():
            raise UserError(f"data.root={self.config.root}: there is no such folder.")

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
            raise UserError(f"data.names={list(names)}: expected two classes or more, each once.")
        return names, doubts

    def _given_val(self, files: Files, place: Path) -> Files:
        if place.is_dir():
            val = replace(
                pair_all(place / "images", place / "masks", self.affixes), labels=files.labels
            )
        else:
            val = files.subset(match_names(read_lines(place), files.names, place))
        require_masks(val, f"data.val={place}")
        return val

    def _masks_of_val(self) -> Sequence[Path | None]:
        """The masks of val, if it has a folder of its own."""
        place = self.config.root / (self.config.val or "")
        if self.config.val is None or not place.is_dir():
            return ()
        return pair(place / "images", place / "masks", self.affixes)[0].masks

    def _wish(self) -> Wish:
        config, wanted = self.config, self.config.labeled
        place = config.root / wanted if isinstance(wanted, Path) else wanted
        return Wish(place, config.val_fraction, config.split_seed)

    def draws_val(self) -> bool:
        """Whether val is held out from the images with masks."""
        return self.config.val is None

    def inventory(self) -> Inventory:
        """The files that a run would use, and masks without an image.

        `fewmask check` reports every problem at once, where `open` stops at the first.

        Raises:
            UserError: if there is no such folder or list.
        """
        self._require_root()
        config = self.config
        images, masks = config.root / config.images, config.root / config.masks
        files, unpaired = pair(images, masks, self.affixes)
        val, place = None, config.root / (config.val or "")
        if config.val is not None and place.is_dir():
            val, unpaired_val = pair(place / "images", place / "masks", self.affixes)
            unpaired = [*unpaired, *unpaired_val]
        elif config.val is not None:
            val = files.subset(match_names(read_lines(place), files.names, place))
        try:
            labeled, unlabeled, val = divide(files, val, self._wish())
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
            self._unread(files),
            was_opened=False,
        )

    def _unread(self, files: Files) -> list[Path]:
        """Pictures among the images and masks that are not read."""
        images = self.config.root / self.config.images
        found = unread_pictures(images) if images.is_dir() else []
        return found + self._unread_masks(files)

    def _unread_masks(self, files: Files) -> list[Path]:
        """Files among the masks that are named like an image without a mask."""
        masks = self.config.root / self.config.masks
        without = {i.stem for i, m in zip(files.images, files.masks, strict=True) if m is None}
        used = {*files.masks, *files.images}
        found = files_below(masks) if masks.is_dir() else []
        return [file for file in found if file.stem in without and file not in used]


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
            values[key] = str(path.parent / Path(values[key]).expanduser())
    return {"name": "folder", **values}
