"""Images, perhaps with masks, by index: all that the loader, the evaluator and the checks need."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import numpy as np

from fewmask.data.images import to_long_side
from fewmask.data.label_table import LabelTable
from fewmask.data.memory import Memory
from fewmask.data.order import Key, shuffled
from fewmask.data.read_options import ReadOptions
from fewmask.errors import UserError


class Dataset(ABC):
    """Images, perhaps with masks, by index. Subclass it for a data set of your own.

    A subclass has `names` and `image`, and `mask` if its images are labeled. Everything else has a
    default that suits images made in memory. Override `file` if your images are files.

    Example:
        class Noise(Dataset):
            names = [f"noise_{i}" for i in range(100)]

            def image(self, index):
                rng = np.random.default_rng(index)
                return rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    """

    names: Sequence[str]
    """One name per image, unique within the data set."""
    is_pool: bool = False
    """Whether this is a pool: unlabeled images by the million, of which only a sample is read
    before training. Its names are never listed, and an image that cannot be read is skipped."""
    is_cached: bool = False
    """Whether decoded copies of these images are kept in `data.cache`. It is a fact, not a wish."""

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def image(self, index: int) -> np.ndarray:
        """The image as uint8 [H, W, C]. It is RGB, unless `model.in_channels` is not 3."""

    def mask(self, index: int) -> np.ndarray:
        """The mask as uint8 [H, W], 0..K-1 or 255. Only masks of labeled images are read."""
        raise AssertionError(f"{self.names[index]} has no mask")

    def file(self, index: int) -> Path | None:
        """The file of an image, or None if the image is not a file of its own."""
        return None

    def mask_file(self, index: int) -> Path | None:
        """The file of a mask, or None if there is none."""
        return None

    def label_table(self) -> LabelTable | None:
        """How values in the mask files become labels, or None if the masks are not files."""
        return None

    def subset(self, indices: Sequence[int]) -> "Dataset":
        """The images at these positions, in this order."""
        return Chosen([(self, index) for index in indices])

    def as_read(self, options: ReadOptions) -> "Dataset":
        """These images, read as the options say; a UserError if they have other bands."""
        # One image is enough: a source gives all its images with the same bands.
        found = self.image(0).shape[2] if len(self) else options.channels
        if found != options.channels:
            raise UserError(
                f"The data source gives images of {found} band(s), but model.in_channels="
                f"{options.channels}. Set model.in_channels={found}."
            )
        if options.long_side is None and options.memory is None:
            return self
        return _Converted(self, options.long_side, options.memory)

    def index_at(self, place: int, key: Key) -> int:
        """The image at a place of the random order that follows from a key, see `shuffled`."""
        return shuffled(place, len(self), key)

    def fingerprint(self) -> str:
        """SHA-256 of the sorted names, one a line."""
        return hashlib.sha256("\n".join(sorted(self.names)).encode()).hexdigest()

    def sample(self) -> range:
        """The images that are read before training: all of them, unless this is a pool."""
        return range(len(self))

    def shared_files(self, files: AbstractSet[str]) -> set[str]:
        """Which of these files (resolved paths) are images of this data set."""
        return real_files(self) & files

    def state(self, with_masks: bool) -> str | None:
        """Names the files as they are now: another text after any change, or None if unknown."""
        return None

    def verify_image(self, index: int) -> None:
        """Reads an image as far as needed to know that it is not damaged.

        Raises:
            UserError: if it cannot be read.
        """
        self.image(index)

    def verify_pair(self, index: int) -> None:
        """Reads a labeled image and its mask, and compares their sizes.

        Raises:
            UserError: if one of them cannot be read, or the sizes differ.
        """
        image, mask = self.image(index), self.mask(index)
        if mask.shape != image.shape[:2]:
            raise UserError(
                f"Mask {self.names[index]} has the shape {mask.shape}, but its image has "
                f"{image.shape[:2]}. The data source must give both at one size."
            )


def real_files(dataset: Dataset) -> set[str]:
    """The resolved paths of all images that are files."""
    files = (dataset.file(index) for index in range(len(dataset)))
    return {os.path.realpath(file) for file in files if file is not None}


class _Forwarding(Dataset):
    """A data set made of images of other data sets, which answer all questions about an image."""

    @abstractmethod
    def place(self, index: int) -> tuple[Dataset, int]:
        """The data set that has an image, and its index there."""

    def image(self, index: int) -> np.ndarray:
        dataset, inner = self.place(index)
        return dataset.image(inner)

    def mask(self, index: int) -> np.ndarray:
        dataset, inner = self.place(index)
        return dataset.mask(inner)

    def file(self, index: int) -> Path | None:
        dataset, inner = self.place(index)
        return dataset.file(inner)

    def mask_file(self, index: int) -> Path | None:
        dataset, inner = self.place(index)
        return dataset.mask_file(inner)

    def label_table(self) -> LabelTable | None:
        return self.place(0)[0].label_table() if len(self) else None

    def verify_image(self, index: int) -> None:
        dataset, inner = self.place(index)
        dataset.verify_image(inner)

    def verify_pair(self, index: int) -> None:
        dataset, inner = self.place(index)
        dataset.verify_pair(inner)


class Chosen(_Forwarding):
    """Images picked from one or several data sets.

    Args:
        places: for each image, the data set that has it and its index there.
    """

    def __init__(self, places: Sequence[tuple[Dataset, int]]):
        self.places = places
        self.names = [dataset.names[index] for dataset, index in places]
        self.is_cached = bool(places) and all(dataset.is_cached for dataset, _ in places)

    def place(self, index: int) -> tuple[Dataset, int]:
        """The data set that has an image, and its index there."""
        return self.places[index]

    def as_read(self, options: ReadOptions) -> Dataset:
        """The same choice from data sets that are read as the options say."""
        # Each data set is converted once, so that its images are kept in memory once.
        distinct = {id(dataset): dataset for dataset, _ in self.places}
        read = {key: dataset.as_read(options) for key, dataset in distinct.items()}
        return Chosen([(read[id(dataset)], index) for dataset, index in self.places])


class _Converted(_Forwarding):
    """A data set whose images are resized to a longer side, and kept in memory if asked."""

    def __init__(self, inner: Dataset, long_side: int | None, memory: Memory | None):
        self.inner, self.long_side = inner, long_side
        self.names, self.is_pool = inner.names, inner.is_pool
        self.memory = None if self.is_pool else memory  # a pool does not fit into memory

    def place(self, index: int) -> tuple[Dataset, int]:
        return self.inner, index

    def image(self, index: int) -> np.ndarray:
        return self._remembered(
            "image", index, lambda: to_long_side(self.inner.image(index), self.long_side)
        )

    def mask(self, index: int) -> np.ndarray:
        # Not resized: scores are computed at its own size.
        return self._remembered("mask", index, lambda: self.inner.mask(index))

    def _remembered(self, kind: str, index: int, read: Callable[[], np.ndarray]) -> np.ndarray:
        key = (id(self), kind, index)
        kept = None if self.memory is None else self.memory.get(key)
        if kept is not None:
            return kept
        array = read()
        if self.memory is not None:
            self.memory.keep(key, array)
        return array

    def index_at(self, place: int, key: Key) -> int:
        return self.inner.index_at(place, key)

    def fingerprint(self) -> str:
        return self.inner.fingerprint()

    def sample(self) -> range:
        return self.inner.sample()

    def shared_files(self, files: AbstractSet[str]) -> set[str]:
        return self.inner.shared_files(files)

    def state(self, with_masks: bool) -> str | None:
        return self.inner.state(with_masks)


def label_shares(dataset: Dataset, num_classes: int, most: int | None = None) -> np.ndarray:
    """The share of each class in the labeled pixels, [K].

    Args:
        dataset: with masks.
        num_classes: K.
        most: the number of masks to read, spread over the set. By default all are read.
    """
    pixels = np.zeros(256)
    step = 1 if most is None else max(1, len(dataset) // most)
    for index in range(0, len(dataset), step):
        pixels += np.bincount(dataset.mask(index).ravel(), minlength=256)
    counted: np.ndarray = pixels[:num_classes] / max(1, pixels[:num_classes].sum())
    return counted
