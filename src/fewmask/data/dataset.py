"""What a data source hands over: the classes and three data sets, whatever they were read from."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from pydantic import Field

from fewmask.batch import IGNORE, Dataset
from fewmask.config import BaseConfig


class Classes:
    """The classes of a data set: their names, colors for pictures, and which one is background.

    Args:
        names: one per class, in order of the label.
        colors: RGB per class, 0..255; by default spread round the color circle.
        values: what stands for each class in the user's mask files; by default 0..K-1.
        no_label: what stands for 'no label' there; None if nothing does.
        no_label_color: its RGB.
    """

    def __init__(
        self,
        names: Sequence[str],
        colors: Sequence[Sequence[int]] | None = None,
        values: Sequence[int] | None = None,
        no_label: int | None = IGNORE,
        no_label_color: Sequence[int] = (255, 255, 255),
    ):
        self.names = tuple(str(name) for name in names)
        self.colors = np.array(colors or default_colors(len(self.names)), dtype=np.uint8)  # [K, 3]
        self.no_label, self.no_label_color = no_label, tuple(no_label_color)
        self.values = tuple(values if values is not None else range(len(self.names)))

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Data:
    """Everything a run reads: three disjoint data sets of the same classes."""

    classes: Classes
    labeled: Dataset
    unlabeled: Dataset
    val: Dataset
    notes: tuple[str, ...] = ()
    """What was decided on the user's behalf, to be said aloud."""
    image_labels: np.ndarray | None = None
    """The classes known to be in each unlabeled image, bool [N, K], if a file tells them."""
    own_unlabeled: Dataset | None = None
    """The source's own unlabeled images, where a pool has taken their place."""

    def without_pool(self) -> "Data":
        """The data with the source's own unlabeled images."""
        own = self.unlabeled if self.own_unlabeled is None else self.own_unlabeled
        return replace(self, unlabeled=own, own_unlabeled=None)


class DataSource(abc.ABC):
    """Where images come from. A user's own source is a subclass: `data.name=my_lab.data:MySource`.

    Example:
        class Satellite(DataSource):
            class Config(DataSource.Config):
                root: Path

            def open(self) -> Data:
                ...
    """

    class Config(BaseConfig):
        """Options every source has."""

        name: str
        """The source: a word we know (folder, camvid, synthetic) or package.module:Class."""
        long_side: int | None = Field(default=None, ge=1)
        """Pixels: images are brought to this longer side first, in training and in evaluation;
        null keeps their own size. Scores are always taken at the mask's own size."""
        in_memory: bool = False
        """Keeps images and masks of files in memory once read, at `long_side`: faster for small
        sets."""
        cache: Path | None = None
        """Keeps decoded images (at `long_side`) and masks in this folder, for files that are large
        or slow to decode; takes H x W x 3 bytes an image."""
        pool: str | None = None
        """Unlabeled images from elsewhere, in place of the source's own: a folder, a .txt list, or
        tar shards by path or URL (`*.tar`, `{000..127}.tar`); millions of them take no memory."""
        pool_disk_gb: float = Field(default=50, gt=0)
        """Disk that a pool's shards behind a URL may take while they are used."""
        image_labels: Path | None = None
        """CSV or JSON file that tells which classes are in each unlabeled image; PseudoSeg uses
        it."""

    def __init__(self, config: Config):
        self.config = config

    @abc.abstractmethod
    def open(self) -> Data:
        """Lists the data sets. What it draws, such as a hold-out, follows from its config alone."""


def label_shares(dataset: Dataset, num_classes: int, most: int | None = None) -> np.ndarray:
    """The share of each class in the labeled pixels, [K].

    Args:
        dataset: with masks.
        num_classes: K.
        most: masks to read, spread over the set; all by default.
    """
    pixels = np.zeros(256)
    step = 1 if most is None else max(1, len(dataset) // most)
    for index in range(0, len(dataset), step):
        pixels += np.bincount(dataset.mask(index).ravel(), minlength=256)
    counted: np.ndarray = pixels[:num_classes] / max(1, pixels[:num_classes].sum())
    return counted


def default_colors(count: int) -> list[tuple[int, int, int]]:
    """Well separated colors: dark gray first (often background), then golden steps of the hue."""
    hues = (np.arange(count) * 0.618034 * 180).astype(int) % 180
    hsv = np.stack(
        [hues, 150 + 70 * (np.arange(count) % 2), 235 - 50 * (np.arange(count) % 3)], axis=1
    ).astype(np.uint8)
    colors = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].tolist()
    return [(60, 60, 60), *(tuple(c) for c in colors[1:])]
