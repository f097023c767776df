"""A pool of image files, whose names are on disk and not in memory."""

import os
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fewmask.data.computed import Computed
from fewmask.data.dataset import Dataset
from fewmask.data.files import Files, Paths
from fewmask.data.label_table import LabelTable
from fewmask.data.pool.name_index import NameIndex
from fewmask.data.read_options import ReadOptions

SAMPLED_FILES = 2000
"""About this many files are read before training. A damaged one is skipped while training."""


class FilePool(Dataset):
    """Image files as a data set without masks.

    Args:
        folder: the folder that names start from.
        names: the files' paths below it.
        options: how images are read.
    """

    is_pool = True

    def __init__(self, folder: Path, names: NameIndex, options: ReadOptions | None = None):
        self.folder, self.names, self.index = folder, names, names
        files = Files(Paths(folder, names, ""), Nothing(len(names)), names, LabelTable(256))
        self._files = files if options is None else files.as_read(options)
        self.is_cached = self._files.is_cached

    @property
    def contents(self) -> str:
        """What is in the pool, for a message."""
        return f"{len(self)} unlabeled images"

    def image(self, index: int) -> np.ndarray:
        """The image as uint8 [H, W, C] at `long_side`, turned as its EXIF tag says."""
        return self._files.image(index)

    def file(self, index: int) -> Path:
        """The file of an image."""
        return self._files.file(index)

    def as_read(self, options: ReadOptions) -> "FilePool":
        """The same pool, read as the options say. It is never kept in memory."""
        return FilePool(self.folder, self.index, replace(options, memory=None))

    def fingerprint(self) -> str:
        """SHA-256 of all names, noted when they were listed."""
        return self.index.sha256

    def sample(self) -> range:
        """About `SAMPLED_FILES` images, spread over the pool."""
        return range(0, len(self), -(-len(self) // SAMPLED_FILES))

    def shared_files(self, files: AbstractSet[str]) -> set[str]:
        """Which of these files the pool names, by a path from its folder or from the root."""
        # Looked up in the index: resolving millions of paths would take minutes.
        home = self.folder.resolve()
        return {f for f in files if f in self.index or os.path.relpath(f, home) in self.index}

    def verify_image(self, index: int) -> None:
        """Decodes an image, unless its file is plainly whole."""
        self._files.verify_image(index)


@dataclass(frozen=True)
class Nothing(Computed[None]):
    """None, repeated: the masks of images that have none."""

    length: int

    def __len__(self) -> int:
        return self.length

    def item(self, index: int) -> None:
        """None, at every position."""
