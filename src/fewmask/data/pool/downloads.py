"""Keeps shards behind URLs on disk while they are used."""

import errno
import hashlib
import math
import os
import posixpath
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
from filelock import FileLock

from fewmask import atomic
from fewmask.data.deadline import NoAnswer, within
from fewmask.data.download_bar import Bar, Limits, progress_bar
from fewmask.data.pool.shard_files import is_remote, unreachable
from fewmask.errors import UserError

ATTEMPTS = 3
SILENT_SECONDS = 120.0
"""Without a byte of the file, as from a server that sends its headers byte by byte."""
FINAL = (FileNotFoundError, ImportError, ValueError, PermissionError, NoAnswer)
"""Reasons not to try again."""
AHEAD_SECONDS = 600
"""A shard fetched ahead counts as used this much later, so that it outlives those of now."""
UNLIMITED = Limits(bytes=sys.maxsize, seconds=math.inf)
"""A shard may be large, and take long; but not without an end, see `Watched`."""


class Watched(fsspec.Callback):  # type: ignore[misc]
    """Gives up on a server that drips: it would end no timeout between two bytes."""

    def __init__(self, bar: Bar):
        super().__init__()
        self.bar = bar

    def relative_update(self, inc: int = 1) -> None:
        """Counts bytes that have arrived; raises an OSError if they are too few."""
        self.bar.advance(inc)


@dataclass(frozen=True)
class Downloads:
    """Copies of shards behind URLs. The copies used last stay on disk.

    All processes of a machine share one folder.

    Attributes:
        folder: is created when needed.
        limit: bytes. A shard that is being read may exceed it.
    """

    folder: Path
    limit: int

    def open(self, url: str, ahead: bool = False) -> BinaryIO:
        """Opens a shard, and downloads it first if there is no copy.

        Args:
            url: the URL or path of the shard.
            ahead: whether the shard is not needed yet. It then stays longer than those in use.

        Raises:
            UserError: if it cannot be read or downloaded.
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
            used = time.time() + (AHEAD_SECONDS if ahead else 0)
            os.utime(file, (used, used))  # files are removed in the order of this time
            return file.open("rb")  # stays readable when another process makes room

    def _fetch(self, url: str, file: Path) -> None:
        """Downloads a shard. If the disk is full before the limit, removes the other copies."""
        try:
            download_shard(url, file)
        except OSError:
            self._make_room(file, 0)
            try:
                download_shard(url, file)
            except OSError as error:
                raise UserError(
                    f"Cannot keep {url} in {self.folder}: {error.strerror}. Free some space, set "
                    "XDG_CACHE_HOME to a folder on a larger disk, or pack smaller shards."
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
        """Removes a copy that turned out to be useless. The next run downloads it again."""
        if is_remote(url):
            self._copy(url).unlink(missing_ok=True)

    def _copy(self, url: str) -> Path:
        digest = hashlib.sha256(url.encode()).hexdigest()[:16]
        return self.folder / f"{digest}-{posixpath.basename(url)}"


def download_shard(url: str, file: Path) -> None:
    """Downloads a shard, all of it or nothing.

    Raises:
        UserError: if it cannot be reached.
        OSError: if the disk is full.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            fs, path = fsspec.url_to_fs(url, **_timeouts(url))
            # A fixed name: however often a process is killed, one file is left behind.
            fixed = file.with_name(file.name + ".temporary")
            with atomic.replacing(file, fixed) as temporary, progress_bar(url, UNLIMITED) as bar:
                watched = partial(fs.get_file, path, str(temporary), callback=Watched(bar))
                within(SILENT_SECONDS, watched, lambda: bar.done)
            return
        except FINAL as error:
            raise unreachable(url, error) from None
        except Exception as error:  # every file system fails in its own way
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            if attempt == ATTEMPTS:
                raise unreachable(url, error) from None
            time.sleep(2**attempt)


def _timeouts(url: str) -> dict[str, Any]:
    """Gives up on a silent HTTP server after a minute. The default of aiohttp is five."""
    if not url.startswith(("http://", "https://")):
        return {}
    import aiohttp

    return {"client_kwargs": {"timeout": aiohttp.ClientTimeout(sock_connect=30, sock_read=60)}}
