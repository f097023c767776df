"""What a data source is, and what it hands over: the classes and three data sets."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import AfterValidator, Field

from fewmask.config import BaseConfig
from fewmask.data.classes import Classes
from fewmask.data.dataset import Dataset
from fewmask.data.images import Range
from fewmask.data.label_table import LabelTable

Subset = Literal["labeled", "unlabeled", "val"]
SUBSETS: tuple[Subset, ...] = ("labeled", "unlabeled", "val")


@dataclass(frozen=True)
class Data:
    """Everything a run reads: three disjoint data sets of the same classes."""

    classes: Classes
    labeled: Dataset
    unlabeled: Dataset
    val: Dataset
    notes: tuple[str, ...] = ()
    """What was decided on the user's behalf, one sentence each. It is printed."""
    value_range: Range | None = None
    """The values that become 0 and 255, if the images have more than 8 bits."""
    image_labels: np.ndarray | None = None
    """The classes known to be in each unlabeled image, bool [N, K], if a file tells them."""
    labeled_shows: np.ndarray | None = None
    """What it tells of the labeled images, to be compared with their masks; it may be nothing."""
    own: "Data | None" = None
    """The same data with the source's own unlabeled images, if those of a pool replace them."""

    def without_pool(self) -> "Data":
        """The data with the source's own unlabeled images."""
        return self.own or self

    def with_pool(self, pool: Dataset, note: str) -> "Data":
        """The data with the images of a pool in place of the source's own unlabeled images."""
        return replace(self, unlabeled=pool, notes=(*self.notes, note), own=self)


class Inventory(NamedTuple):
    """The files of a data source, for `fewmask check`."""

    images: Mapping[str, Sequence[Path]]
    """By subset: labeled, unlabeled, val."""
    masks: Mapping[str, Sequence[Path]]
    """Of the labeled and val images, in their order."""
    class_names: Sequence[str] | None
    """None if the user has not named them."""
    labels: LabelTable
    """How values in the masks become labels, as far as the user has said."""
    unpaired: Sequence[Path] = ()
    """Masks that belong to no image."""
    unread: Sequence[Path] = ()
    """Pictures of kinds that fewmask does not read."""
    resizes_masks: bool | None = None
    """Whether masks get the size of their image; None if the source has no such option."""
    was_opened: bool = True
    """Whether `open` has accepted the files. If not, training may still refuse them."""


def _wide(given: Range) -> Range:
    if given[0] >= given[1]:
        raise ValueError("expected [black, white], of which the second is larger")
    return given


class DataSource(abc.ABC):
    """Where images come from. A source of your own is a subclass: `data.name=my_lab.data:Fields`.

    Example:
        class Fields(DataSource):
            class Config(DataSource.Config):
                root: Path

            def open(self) -> Data:
                ...
    """

    class Config(BaseConfig):
        """Options that every source has. `open_data` applies them, so a source need not."""

        name: str
        """The source: a plain word (folder, camvid, synthetic ...) or package.module:Class."""
        long_side: int | None = Field(default=None, ge=1, le=65536)
        """Pixels: images are resized to this longer side, in training and in evaluation. null
        keeps their own size. Scores are always computed at the size of the mask."""
        range: Literal["auto"] | Annotated[Range, AfterValidator(_wide)] | None = "auto"
        """Images of more than 8 bits: the values that become black and white, such as [-30, 0].
        auto finds them, once for all images, in the labeled ones. null decides for each file by
        itself, as version 0.1 did."""
        in_memory: bool = False
        """Keeps images (at `long_side`) and masks in memory once they are read, up to 1 GiB in each
        process: faster. A pool is never kept."""
        cache: Path | None = None
        """Keeps decoded images (at `long_side`) and masks in this folder. Use it for files that
        are large or slow to decode. It takes H x W x 3 bytes per image."""
        pool: str | None = None
        """Unlabeled images that replace the source's own: a folder, a .txt list, or tar shards by
        path or URL (`*.tar`, `{000..127}.tar`). Memory use does not grow with their number."""
        pool_disk_gb: float = Field(default=50, gt=0, le=10**9)
        """Disk space in GB for the shards of a pool behind a URL while they are used."""
        image_labels: Path | None = None
        """The classes that are in each unlabeled image: a CSV or JSON file, or a folder of .mat,
        .npy or .txt files, one for each image. PseudoSeg uses it."""

    def __init__(self, config: Config):
        self.config = config

    @abc.abstractmethod
    def open(self) -> Data:
        """Lists the data sets. Anything it draws, such as a hold-out, must follow from `config`."""

    def draws_val(self) -> bool:
        """Whether `open` draws the val images, so that more labels would change them."""
        return False

    def inventory(self) -> Inventory | None:
        """The files of this source, or None if its images are not files."""
        data = self.open()
        sets: dict[str, Dataset] = {subset: getattr(data, subset) for subset in SUBSETS}
        images = {subset: _files(dataset) for subset, dataset in sets.items()}
        labels = data.labeled.label_table()
        # Without all files, a check would say less than it seems to.
        if labels is None or any(len(images[s]) < len(sets[s]) for s in SUBSETS):
            return None
        masks = {subset: mask_files(sets[subset]) for subset in ("labeled", "val")}
        return Inventory(images, masks, data.classes.names, labels)


def _files(dataset: Dataset) -> list[Path]:
    files = (dataset.file(index) for index in range(len(dataset)))
    return [file for file in files if file is not None]


def mask_files(dataset: Dataset) -> list[Path]:
    """The files of all masks that are files."""
    files = (dataset.mask_file(index) for index in range(len(dataset)))
    return [file for file in files if file is not None]
