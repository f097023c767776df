"""Where tar shards are, and where the images stand in one."""

import glob
import math
import posixpath
import re
import tarfile
from functools import partial
from pathlib import Path
from typing import BinaryIO

import fsspec
import numpy as np

from fewmask.data.deadline import within
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.errors import UserError

MOST_SHARDS = 100_000
"""That a pattern may stand for. With 10,000 images in each, it is a billion images."""

LISTING_SECONDS = 600.0
"""That a server may take to list a folder: a bucket with a million shards takes minutes."""


DAMAGED = (tarfile.TarError, OSError, ValueError, ArithmeticError, RecursionError, MemoryError)
"""What tarfile raises for a head with sizes that cannot be, or with heads in heads."""


def is_remote(url: str) -> bool:
    """Whether this is a URL and not a path."""
    return "://" in url


def list_shards(place: str) -> list[str]:
    """The shards that match a pattern, sorted.

    Args:
        place: a path or URL, with `*` or a range such as `{000..127}`.

    Raises:
        UserError: if there is none, or the folder behind a URL cannot be listed.
    """
    urls: list[str] = []
    bounds = re.findall(r"\{(\d{1,18})\.\.(\d{1,18})\}", place)
    if math.prod(max(0, int(last) - int(first) + 1) for first, last in bounds) > MOST_SHARDS:
        raise UserError(
            f"data.pool={place} stands for more than {MOST_SHARDS:,} shards. Correct the range, or "
            "pack more images into each shard."
        )
    for pattern in _ranges(place):
        if Path(pattern).is_file() or not glob.has_magic(pattern):
            urls.append(pattern)
        elif is_remote(pattern):
            try:
                urls += within(LISTING_SECONDS, partial(_found_behind, pattern))
            except Exception as error:  # every file system fails in its own way
                raise unreachable(pattern, error) from None
        else:
            urls += glob.glob(pattern)
    missing = [url for url in urls if not is_remote(url) and not Path(url).is_file()]
    if not urls or missing:
        raise UserError(f"data.pool: there is no shard {missing[0] if missing else place}.")
    return sorted(urls)


def _found_behind(pattern: str) -> list[str]:
    """The URLs that match a pattern."""
    fs, path = fsspec.url_to_fs(pattern)
    return [fs.unstrip_protocol(found) for found in fs.glob(path)]


def _ranges(pattern: str) -> list[str]:
    """`a{08..10}` as a08, a09, a10."""
    found = re.search(r"\{(\d{1,18})\.\.(\d{1,18})\}", pattern)
    if found is None:
        return [pattern]
    first, last = found.groups()
    # Leading zeros count: {08..10} is 08, 09, 10.
    numbers = [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
    ends = _ranges(pattern[found.end() :])
    return [pattern[: found.start()] + number + end for number in numbers for end in ends]


def unreachable(url: str, error: Exception) -> UserError:
    """The error for a shard or folder that cannot be reached."""
    return UserError(f"Cannot get {url}: {type(error).__name__}: {error}")


def image_table(file: BinaryIO, url: str) -> np.ndarray:
    """Where the images of a tar file stand: (offset, size) in bytes, int64 [N, 2].

    Args:
        file: an open, uncompressed tar file.
        url: its address, for messages.

    Raises:
        UserError: if it is not a tar file, or is cut off.
    """
    places: list[tuple[int, int]] = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if member.size < 0:  # tarfile would go back, perhaps without end
                    raise tarfile.ReadError(f"a size below 0 at byte {member.offset}")
                name = posixpath.basename(member.name).lower()
                if member.isfile() and name.endswith(IMAGE_SUFFIXES) and not name.startswith("."):
                    places.append((member.offset_data, member.size))
            file.seek(tar.offset)  # tarfile mistakes a damaged header for the end
            if file.read(512) != bytes(512):
                raise tarfile.ReadError(f"no header at byte {tar.offset}, and not the end")
    except DAMAGED as error:
        raise UserError(
            f"The shard {url} is damaged or not a plain tar file ({error}). Make it again with tar "
            "--sort=name -cf. Do not compress shards: the images already are."
        ) from None
    return np.array(places, np.int64).reshape(-1, 2)
