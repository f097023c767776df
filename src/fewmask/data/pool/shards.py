"""Unlabeled images in tar shards (WebDataset's layout), on disk or behind any fsspec URL.

An epoch takes the shards in a new order, `MIXED` at a time, and mixes their images at random. So
even a pool larger than the disk is read shard by shard, each one once, and (seed, epoch, place)
still decides which image stands at a place.
"""

import hashlib
import os
import posixpath
import sys
import threading
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fewmask.data.computed import Computed
from fewmask.data.dataset import Dataset
from fewmask.data.images import read_image, to_long_side
from fewmask.data.order import Key, shuffled
from fewmask.data.pool.downloads import Downloads
from fewmask.data.pool.shard_files import image_table, is_remote
from fewmask.data.pool.shard_sizes import SIZES
from fewmask.data.read_options import ReadOptions
from fewmask.errors import UserError

MIXED = 16
"""How many shards are mixed at a time."""
SAMPLED_IMAGES = 16
"""This many images are read before training: the first, as each shard may be a download."""


class ShardPool(Dataset):
    """Images in tar shards, as a data set without masks.

    Args:
        urls: the URLs or paths of the shards, see `list_shards`.
        sizes: the number of images in each, [S].
        downloads: keeps shards behind URLs for a while.
        options: how images are read.
    """

    is_pool = True

    def __init__(
        self,
        urls: Sequence[str],
        sizes: np.ndarray,
        downloads: Downloads,
        options: ReadOptions | None = None,
    ):
        self.urls, self.sizes, self.downloads = urls, sizes, downloads
        self.options = options or ReadOptions()
        self.names = self.shards = ShardNames(urls, sizes)
        self._epoch: tuple[Key, np.ndarray, np.ndarray] | None = None

    @property
    def contents(self) -> str:
        """What is in the pool, for a message."""
        return f"{len(self)} unlabeled images in {len(self.urls)} shard(s)"

    def image(self, index: int) -> np.ndarray:
        """The image as uint8 [H, W, C] at `long_side`, turned as its EXIF tag says.

        Raises:
            UserError: if the shard or the image cannot be read.
        """
        shard, position = self.shards.locate(index)
        content = _open(self.downloads, self.urls[shard], int(self.sizes[shard])).read(position)
        options, name = self.options, Path(self.names[index])
        image = read_image(name, options.channels, content, options.value_range)
        return to_long_side(image, options.long_side)

    def as_read(self, options: ReadOptions) -> "ShardPool":
        """The same pool, read as the options say. It is never kept in memory or decoded on disk."""
        kept = replace(options, memory=None, decoded=None)
        return ShardPool(self.urls, self.sizes, self.downloads, kept)

    def fingerprint(self) -> str:
        """SHA-256 of the shards' names and sizes."""
        return self.shards.sha256

    def sample(self) -> range:
        """The first images."""
        return range(min(SAMPLED_IMAGES, len(self)))

    def shared_files(self, files: AbstractSet[str]) -> set[str]:
        """An empty set: an image in a shard is not a file."""
        return set()

    def index_at(self, place: int, key: Key) -> int:
        """The image at a place of the random order that follows from a key."""
        # One epoch is kept: its order takes 16 bytes a shard, and places come mostly in order.
        if self._epoch is None or self._epoch[0] != key:
            shards = np.random.default_rng(key).permutation(len(self.sizes))
            self._epoch = key, shards, np.cumsum(self.sizes[shards])
        _, shards, ends = self._epoch
        group = int(np.searchsorted(ends, place, side="right")) // MIXED
        first = group * MIXED
        start = int(ends[first - 1]) if group else 0
        count = int(ends[min(first + MIXED, len(ends)) - 1]) - start
        mixed = start + shuffled(place - start, count, (*key, group))
        slot = int(np.searchsorted(ends, mixed, side="right"))
        shard = int(shards[slot])
        # The next group is downloaded while this one is read.
        self._fetch_ahead(shards[first + MIXED : first + 2 * MIXED])
        return self.shards.first(shard) + mixed - (int(ends[slot - 1]) if slot else 0)

    def _fetch_ahead(self, shards: np.ndarray) -> None:
        urls = tuple(self.urls[shard] for shard in shards)
        if urls and is_remote(urls[0]):
            _start_fetching(self.downloads, urls)


class ShardNames(Computed[str]):
    """A name for each image: its shard's name, and its number there.

    Args:
        urls: the URLs or paths of the shards.
        sizes: the number of images in each, [S].
    """

    def __init__(self, urls: Sequence[str], sizes: np.ndarray):
        # Names start below the folder that all shards share.
        shared = os.path.commonprefix([posixpath.dirname(url) + "/" for url in urls])
        below = shared.rfind("/") + 1  # the same names wherever the shards lie
        self.stems = [url[below:].removesuffix(".tar") for url in urls]
        self.sizes, self.ends = sizes, np.cumsum(sizes)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def locate(self, index: int) -> tuple[int, int]:
        """The shard of an image, and the position in it."""
        shard = int(np.searchsorted(self.ends, index, side="right"))
        return shard, index - self.first(shard)

    def first(self, shard: int) -> int:
        """The index of a shard's first image."""
        return int(self.ends[shard] - self.sizes[shard])

    def item(self, index: int) -> str:
        """The name at a position."""
        shard, position = self.locate(index)
        return f"{self.stems[shard]}/{position:06}"

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the shards' names and sizes."""
        lines = [f"{s} {n}" for s, n in zip(self.stems, self.sizes.tolist(), strict=True)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class _OpenShard:
    """One open shard, with a table of its images."""

    def __init__(self, file: BinaryIO, url: str):
        self.file = file
        self.table = image_table(file, url)  # [N, 2]

    def read(self, position: int) -> bytes:
        offset, size = self.table[position].tolist()
        if sys.platform == "win32":  # it has no pread, but it does not fork either
            self.file.seek(offset)
            return self.file.read(size)
        return os.pread(self.file.fileno(), size, offset)  # safe across forks: moves no pointer


@lru_cache(maxsize=MIXED)  # this many shards are in use at a time
def _open(downloads: Downloads, url: str, size: int) -> _OpenShard:
    try:
        shard = _OpenShard(downloads.open(url), url)
        if len(shard.table) == size:
            return shard
        raise UserError(
            f"The shard {url} holds {len(shard.table)} images, but {size} were counted before (in "
            f"its {SIZES}, or when the pool was opened). It has changed, is incomplete, or {SIZES} "
            "is wrong. Repair it and start a new run."
        )
    except UserError:
        downloads.forget(url)
        raise


@lru_cache(maxsize=64)
def _start_fetching(downloads: Downloads, urls: tuple[str, ...]) -> None:
    """Downloads shards in the background. A failure is reported when the shard is needed."""

    def fetch() -> None:
        for url in urls:
            with suppress(UserError, OSError):
                downloads.open(url, ahead=True).close()

    threading.Thread(target=fetch, daemon=True).start()
