"""Images and masks in files, as a data set."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from fewmask.data.cache import DecodedFolder
from fewmask.data.computed import Computed
from fewmask.data.dataset import Dataset
from fewmask.data.images import (
    Range,
    looks_whole,
    read_image,
    resize_mask,
    same_aspect,
    to_long_side,
)
from fewmask.data.label_table import LabelTable
from fewmask.data.masks import MASK_SUFFIXES, read_colors, read_mask
from fewmask.data.memory import Memory
from fewmask.data.object_masks import mask_parts
from fewmask.data.read_options import ReadOptions
from fewmask.errors import UserError


@dataclass(frozen=True)
class Paths(Computed[Path]):
    """Files that are computed from names, so that a million files cost no more than their names.

    Example:
        Paths(Path("JPEGImages"), ["2007_000032"], ".jpg")[0]  # JPEGImages/2007_000032.jpg
    """

    folder: Path
    names: Sequence[str]
    suffix: str

    def __len__(self) -> int:
        return len(self.names)

    def item(self, index: int) -> Path:
        """The file at a position."""
        return self.folder / f"{self.names[index]}{self.suffix}"


@dataclass(eq=False)
class Files(Dataset):
    """Images in files, each with a mask file or None.

    Attributes:
        images: one file per image.
        masks: one for each, or None for an image without a mask.
        names: unique names, usually file stems.
        labels: how mask values become labels.
        long_side: pixels, or None for the image's own size.
        memory: keeps what was read, if there is one.
        channels: bands of an image. With 3, every image is read as RGB.
        decoded: keeps what was read on disk, if it is given.
        value_range: the values that become 0 and 255, for images of more than 8 bits.
        resizes_masks: whether masks get the size of their image.
    """

    images: Sequence[Path]
    masks: Sequence[Path | None]
    names: Sequence[str]
    labels: LabelTable
    long_side: int | None = None
    memory: Memory | None = None
    channels: int = 3
    decoded: DecodedFolder | None = None
    value_range: Range | None = None
    resizes_masks: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def __post_init__(self) -> None:
        self.is_cached = self.decoded is not None

    def image(self, index: int) -> np.ndarray:
        """The image as uint8 [H, W, C] at `long_side`, turned as its EXIF tag says."""
        file = self.images[index]
        # Another size or range is another copy.
        how: tuple[object, ...] = ("image", self.channels, self.long_side)
        how += () if self.value_range is None else (self.value_range,)
        return self._remembered(file, how, lambda: to_long_side(self._read(file), self.long_side))

    def _read(self, file: Path) -> np.ndarray:
        return read_image(file, self.channels, value_range=self.value_range)

    def mask(self, index: int) -> np.ndarray:
        """The labels as uint8 [H, W], at the mask's own size unless it `resizes_masks`."""
        file = self.masks[index]
        assert file is not None, f"{self.names[index]} has no mask"
        how: tuple[object, ...] = ("mask", self.labels)
        how += ("resized",) if self.resizes_masks else ()
        return self._remembered(file, how, lambda: self._fitted(index, self._labels(file)))

    def _labels(self, file: Path) -> np.ndarray:
        labels = self.labels
        values = read_colors(file) if labels.palette else read_mask(file, labels.array)
        return labels.to_labels(values, file)

    def _fitted(self, index: int, mask: np.ndarray) -> np.ndarray:
        """A mask at the size of its image, if that is wanted."""
        if not self.resizes_masks:
            return mask
        height, width = self._read(self.images[index]).shape[:2]
        return mask if mask.shape == (height, width) else resize_mask(mask, (width, height))

    def _remembered(self, file: Path, how: object, read: Callable[[], np.ndarray]) -> np.ndarray:
        kept = None if self.memory is None else self.memory.get(file)
        if kept is not None:
            return kept
        array = read() if self.decoded is None else self.decoded.get(file, how, read)
        if self.memory is not None:
            self.memory.keep(file, array)
        return array

    def file(self, index: int) -> Path:
        """The file of an image."""
        return self.images[index]

    def mask_file(self, index: int) -> Path | None:
        """The file of a mask, or None if there is none."""
        return self.masks[index]

    def label_table(self) -> LabelTable:
        """How values in the mask files become labels."""
        return self.labels

    def subset(self, indices: Sequence[int]) -> Self:
        """The images at these positions, in this order."""
        names = [self.names[i] for i in indices]

        def pick(paths: Sequence[Any]) -> Sequence[Any]:
            # Computed paths stay computed, and share the new list of names.
            if isinstance(paths, Paths) and paths.names is self.names:
                return replace(paths, names=names)
            return [paths[i] for i in indices]

        return replace(self, images=pick(self.images), masks=pick(self.masks), names=names)

    def as_read(self, options: ReadOptions) -> Self:
        """The same files, read as the options of the data source say."""
        return replace(
            self,
            channels=options.channels,
            long_side=options.long_side,
            memory=options.memory,
            decoded=options.decoded,
            value_range=options.value_range,
        )

    def state(self, with_masks: bool) -> str | None:
        """SHA-256 of all paths, sizes and times, or None if a file is missing."""
        # A new mapping or number of bands may refuse files that passed before.
        how = (self.labels, self.channels, with_masks, self.resizes_masks)
        digest = hashlib.sha256(repr(how).encode())
        for file in [*self.images, *(self._mask_files() if with_masks else ())]:
            try:
                status = os.stat(file)
            except OSError:
                return None
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _mask_files(self) -> Iterator[Path]:
        for mask in self.masks:
            assert mask is not None
            yield from mask_parts(mask, MASK_SUFFIXES)

    def verify_image(self, index: int) -> None:
        """Decodes an image, unless the head and the end of its file show that it is whole."""
        if self.channels != 3 or not looks_whole(self.images[index]):
            self.image(index)

    def verify_pair(self, index: int) -> None:
        """Decodes an image at its own size and its mask, and compares their sizes."""
        # Not `self.image`, which is at `long_side` and may come from a cache.
        file, mask_file = self.images[index], self.masks[index]
        assert mask_file is not None, f"{self.names[index]} has no mask"
        height, width = self._read(file).shape[:2]
        mask = self._labels(mask_file) if self.resizes_masks else self.mask(index)
        size = mask.shape[::-1]
        fits = same_aspect(size, (width, height)) if self.resizes_masks else size == (width, height)
        if not fits:
            is_turned = size == (height, width)
            raise UserError(
                f"Mask {mask_file} is {size[0]}x{size[1]} pixels, but its image {file.name} is "
                f"{width}x{height} (width x height). "
                + ("It lies on its side: turn it, or e" if is_turned else "E")
                + "xport the mask at the size of the image"
                + (", or at least in its shape." if self.resizes_masks else ".")
            )
