"""How many images are in each shard: as `sizes.json` says, or counted once."""

import hashlib
import os
import posixpath
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import fsspec
import numpy as np

from fewmask import atomic
from fewmask.atomic import LARGEST, parse_json
from fewmask.data.deadline import within
from fewmask.data.pool.downloads import SILENT_SECONDS, Downloads
from fewmask.data.pool.shard_files import image_table, is_remote
from fewmask.errors import UserError

SIZES = "sizes.json"
"""A file next to the shards with the number of images in each: {"000.tar": 10000, ...}."""

MOST = 10**12
"""Images in one shard, and one more: their sum must fit into 64 bits."""


def shard_sizes(
    urls: Sequence[str], downloads: Downloads, facts: Path, tell: Callable[[str], None]
) -> np.ndarray:
    """The number of images in each shard, [S].

    Args:
        urls: the URLs or paths of the shards.
        downloads: keeps shards behind URLs for a while.
        facts: the folder that remembers what was counted.
        tell: receives a message if shards have to be counted.

    Raises:
        UserError: if a shard cannot be read, or `sizes.json` is malformed.
    """
    given = {folder: _given_sizes(folder) for folder in {posixpath.dirname(url) for url in urls}}
    known: list[int | None] = []
    for url in urls:
        folder, name = posixpath.split(url)
        known.append(given[folder].get(name) or _counted_before(facts, url))
    if None in known:
        tell(f"Counting the images in {len(urls)} shards, once ({SIZES} saves this) ...")
    sizes = [
        _count(url, downloads, facts) if size is None else size
        for url, size in zip(urls, known, strict=True)
    ]
    return np.array(sizes, np.int64)


def _counted_before(facts: Path, url: str) -> int | None:
    try:
        return int((facts / _state(url)).read_text())
    except (OSError, ValueError):
        return None


def _count(url: str, downloads: Downloads, facts: Path) -> int:
    """Counts the images in a shard, and remembers the number."""
    with downloads.open(url) as file:
        try:
            counted = len(image_table(file, url))
        except UserError:
            downloads.forget(url)
            raise
    with suppress(OSError):  # a read-only home: counted again next time
        atomic.write_text(facts / _state(url), str(counted))
    return counted


def _state(url: str) -> str:
    """Names a shard as it is now. Shards behind a URL are assumed not to change."""
    what = url
    if not is_remote(url):
        status = os.stat(url)
        what = repr((os.path.abspath(url), status.st_size, status.st_mtime_ns))
    return hashlib.sha256(what.encode()).hexdigest()


def _read_sizes(folder: str) -> bytes:
    with fsspec.open(posixpath.join(folder, SIZES)) as file:
        content: bytes = file.read(LARGEST)
    return content


def _given_sizes(folder: str) -> dict[str, int]:
    """The content of `sizes.json` in a folder, or nothing if there is no such file."""
    try:
        content = within(SILENT_SECONDS, partial(_read_sizes, folder))
    except Exception:  # servers refuse a missing file in many ways; the shards tell what is wrong
        return {}
    try:
        sizes = dict(parse_json(content))
        if any(type(size) is not int or not 0 <= size < MOST for size in sizes.values()):
            raise ValueError("expected whole numbers of at most 12 digits")
        return sizes
    except (ValueError, TypeError) as error:
        raise UserError(
            f'{folder}/{SIZES} is not like {{"000.tar": 10000, ...}}: {error}. Correct it, or '
            "remove it: the images are then counted."
        ) from None
