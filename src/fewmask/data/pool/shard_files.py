"""Where tar shards are: listed by pattern, counted once, downloaded while they are used."""

import errno
import glob
import hashlib
import json
import os
import posixpath
import re
import tarfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import numpy as np
from filelock import FileLock

from fewmask import atomic
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.errors import UserError

ATTEMPTS = 3
AHEAD_SECONDS = 600
SIZES = "sizes.json"
"""A file beside the shards with the number of images in each: {"000.tar": 10000, ...}."""


def is_remote(url: str) -> bool:
    """Whether this is an address, not a path."""
    return "://" in url


def list_shards(place: str) -> list[str]:
    """The shards that a pattern means, sorted.

    Args:
        place: a path or URL, with `*` or a range such as `{000..127}`.

    Raises:
        UserError: if there is none.
    """
    urls: list[str] = []
    for pattern in _ranges(place):
        if Path(pattern).is_file() or not glob.has_magic(pattern):
            urls.append(pattern)
        elif is_remote(pattern):
            try:
                fs, path = fsspec.url_to_fs(pattern)
                urls += [fs.unstrip_protocol(found) for found in fs.glob(path)]
            except Exception as error:  # every file system fails in its own way
                raise _unreachable(pattern, error) from None
        else:
            urls += glob.glob(pattern)
    missing = [url for url in urls if not is_remote(url) and not Path(url).is_file()]
    if not urls or missing:
        raise UserError(f"data.pool: there is no shard {missing[0] if missing else place}.")
    return sorted(urls)


def _ranges(pattern: str) -> list[str]:
    """`a{08..10}` as a08, a09, a10."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if found is None:
        return [pattern]
    first, last = found.groups()
    numbers = [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
    ends = _ranges(pattern[found.end() :])
    return [pattern[: found.start()] + number + end for number in numbers for end in ends]


@dataclass(frozen=True)
class Downloads:
    """Shards behind URLs, on disk while they are used; the ones used last stay.

    All processes of a machine share one folder.

    Attributes:
        folder: made when needed.
        limit: bytes; a shard being read may exceed it.
    """

    folder: Path
    limit: int

    def open(self, url: str, ahead: bool = False) -> BinaryIO:
        """Opens a shard, downloaded first if it is not here.

        Args:
            url: of the shard, or a path.
            ahead: it is not needed yet; it then stays before all that were.

        Raises:
            UserError: if it cannot be had.
        """
        if not is_remote(url):
            try:
                return Path(url).open("rb")
            except OSError as error:
                raise UserError(f"Cannot read the shard {url}: {error.strerror}.") from None
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._copy(url)
        with FileLock(f"{file}.lock"):
            if not file.is_file():
                self._fetch(url, file)
                self._make_room(file, self.limit)
            soon = time.time() + (AHEAD_SECONDS if ahead else 0)
            os.utime(file, (soon, soon))  # the order in which files go
            return file.open("rb")  # stays readable when another process makes room

    def _fetch(self, url: str, file: Path) -> None:
        """Downloads a shard; where the disk is full before the limit, others have to go."""
        try:
            _download(url, file)
        except OSError:
            self._make_room(file, 0)
            try:
                _download(url, file)
            except OSError as error:
                raise UserError(
                    f"Cannot keep {url} in {self.folder}: {error.strerror}, beside the shards that "
                    "are being read. Free some space, let XDG_CACHE_HOME name a folder on a larger "
                    "disk, or pack smaller shards."
                ) from None

    def _make_room(self, newest: Path, limit: int) -> None:
        kept = []
        for file in self.folder.glob("*.tar"):
            with suppress(FileNotFoundError):  # another process makes room too
                kept.append((file.stat().st_mtime, file.stat().st_size, file))
        total = sum(size for _, size, _ in kept)
        for _, size, file in sorted(kept):
            if total > limit and file != newest:
                file.unlink(missing_ok=True)
                total -= size

    def forget(self, url: str) -> None:
        """Removes the copy of a shard that was of no use; the next run fetches it anew."""
        if is_remote(url):
            self._copy(url).unlink(missing_ok=True)

    def _copy(self, url: str) -> Path:
        digest = hashlib.sha256(url.encode()).hexdigest()[:16]
        return self.folder / f"{digest}-{posixpath.basename(url)}"


def _download(url: str, file: Path) -> None:
    """Puts a shard in its place, whole.

    Raises:
        UserError: if it cannot be had.
        OSError: if the disk is full.
    """
    part = file.with_name(file.name + ".part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            fs, path = fsspec.url_to_fs(url, **_patience(url))
            fs.get_file(path, str(part))
            part.replace(file)
            return
        except (FileNotFoundError, ImportError, ValueError, PermissionError) as error:
            raise _unreachable(url, error) from None
        except Exception as error:  # every file system fails in its own way
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            if attempt == ATTEMPTS:
                raise _unreachable(url, error) from None
            time.sleep(2**attempt)
        finally:
            part.unlink(missing_ok=True)


def _patience(url: str) -> dict[str, Any]:
    """A download over HTTP ends when nothing comes, not after aiohttp's five minutes."""
    if not url.startswith(("http://", "https://")):
        return {}
    import aiohttp

    return {"client_kwargs": {"timeout": aiohttp.ClientTimeout(sock_connect=30, sock_read=60)}}


def _unreachable(url: str, error: Exception) -> UserError:
    return UserError(f"Cannot get {url}: {type(error).__name__}: {error}")


def shard_sizes(
    urls: Sequence[str], downloads: Downloads, facts: Path, tell: Callable[[str], None]
) -> np.ndarray:
    """The number of images in each shard, [S]: as `sizes.json` says, or counted once.

    Args:
        urls: of the shards.
        downloads: where shards behind URLs are kept for a while.
        facts: a folder to note what was counted.
        tell: says that shards are being counted.

    Raises:
        UserError: if a shard cannot be had, or the file with the sizes makes no sense.
    """
    given = {folder: _given_sizes(folder) for folder in {posixpath.dirname(url) for url in urls}}
    known: list[int | None] = []
    for url in urls:
        folder, name = posixpath.split(url)
        known.append(given[folder].get(name) or _noted(facts, url))
    if None in known:
        tell(f"Counting the images in {len(urls)} shards, once ({SIZES} saves it) ...")
    sizes = [
        _count(url, downloads, facts) if size is None else size
        for url, size in zip(urls, known, strict=True)
    ]
    return np.array(sizes, np.int64)


def _noted(facts: Path, url: str) -> int | None:
    try:
        return int((facts / _state(url)).read_text())
    except (OSError, ValueError):
        return None


def _count(url: str, downloads: Downloads, facts: Path) -> int:
    """The number of images in a shard, noted for the next time."""
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
    """Names a shard as it is now; behind a URL it is taken never to change."""
    what = url
    if not is_remote(url):
        status = os.stat(url)
        what = repr((os.path.abspath(url), status.st_size, status.st_mtime_ns))
    return hashlib.sha256(what.encode()).hexdigest()


def _given_sizes(folder: str) -> dict[str, int]:
    """What `sizes.json` in a folder says; empty if it cannot be had."""
    try:
        with fsspec.open(posixpath.join(folder, SIZES)) as file:
            content = file.read()
    except Exception:  # a missing file is refused in a dozen ways; the shards tell what is wrong
        return {}
    try:
        sizes = dict(json.loads(content))
        if any(type(size) is not int or size < 0 for size in sizes.values()):
            raise ValueError("expected whole numbers")
        return sizes
    except (ValueError, TypeError) as error:
        raise UserError(
            f'{folder}/{SIZES} is not like {{"000.tar": 10000, ...}}: {error}. Correct it, or '
            "remove it: the images are then counted."
        ) from None


def image_table(file: BinaryIO, url: str) -> np.ndarray:
    """Where the images of a tar stand: (offset, size) in bytes, int64 [N, 2].

    Args:
        file: open, a plain (not compressed) tar.
        url: for messages.

    Raises:
        UserError: if it is no tar, or cut off.
    """
    places = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                name = posixpath.basename(member.name).lower()
                if member.isfile() and name.endswith(IMAGE_SUFFIXES) and not name.startswith("."):
                    places.append((member.offset_data, member.size))
            file.seek(tar.offset)  # tarfile takes a damaged header for the end
            if file.read(512) != bytes(512):
                raise tarfile.ReadError(f"no header at byte {tar.offset}, and not the end")
    except tarfile.TarError as error:
        raise UserError(
            f"The shard {url} is damaged or no plain tar ({error}). Make it anew: tar --sort=name "
            "-cf; shards are not compressed, images are already."
        ) from None
    return np.array(places, np.int64).reshape(-1, 2)
