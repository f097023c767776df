"""Downloads public archives, resumes after a break, verifies and unpacks them."""

import hashlib
import shutil
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fewmask.data.deadline import within
from fewmask.errors import UserError

CHUNK_BYTES = 1 << 20
ATTEMPTS = 5
TIMEOUT_SECONDS = 60
SLOW_SECONDS, SLOW_BYTES = 60.0, 60_000
"""Whatever is slower, a kilobyte a second, counts as broken off."""


class Limits(NamedTuple):
    """How large a file may be, and how long its download may take."""

    bytes: int
    seconds: float


def is_url(text: str) -> bool:
    """Whether a text is a URL to download from."""
    return text.startswith(("http://", "https://"))


def download(url: str, file: Path, md5: str | None = None, limits: Limits | None = None) -> Path:
    """Downloads a file, and continues where an interrupted call stopped.

    Until it is complete and verified, the file is called `NAME.download`.

    Args:
        url: the URL to download.
        file: the file to write.
        md5: the checksum that the publisher states. None verifies only the length.
        limits: of a file that may be anything. By default, it may take as long as it takes, and a
            bar shows how far it has come.

    Raises:
        UserError: if the server cannot be reached or keeps breaking off, the checksum is wrong, or
            the file is beyond the limits. A file with a wrong checksum is removed.
    """
    if file.is_file() and (md5 is None or _md5(file) == md5):
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".download")  # kept after a failure, to be continued
    with _bar(file.name, limits) as bar:
        try:
            _continue_until_complete(url, partial, bar)
        except _BeyondLimits as beyond:
            partial.unlink(missing_ok=True)
            raise UserError(f"{url} {beyond}. Download it by hand, and give its path.") from None
    if md5 is not None and _md5(partial) != md5:
        partial.unlink()
        raise UserError(
            f"{url}: the checksum is wrong (expected MD5 {md5}), so the file was removed. Try "
            "again. If the error stays, the publisher has changed the file."
        )
    partial.replace(file)
    return file


def _continue_until_complete(url: str, partial: Path, bar: "_Bar") -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if _continue(url, partial, bar):
                return
        except (urllib.error.HTTPError, ValueError) as error:  # no such file, or a malformed URL
            raise UserError(f"Cannot download {url}: {error}. Check the URL.") from None
        except (OSError, HTTPException) as error:
            if attempt == ATTEMPTS:
                kept = f" What has arrived is kept in {partial}." if partial.exists() else ""
                raise UserError(
                    f"Cannot download {url}: {error}.{kept} Run the same command to continue."
                ) from None
    raise UserError(
        f"{url} broke off {ATTEMPTS} times. Run the same command to continue the download."
    )


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpacks a .tar, .tgz or .zip file into a folder, all of it or nothing.

    Args:
        archive: to unpack.
        folder: receives the members. It is created if necessary.

    Returns:
        The top-level names that were unpacked.

    Raises:
        UserError: if the archive is damaged, or a member would land outside the folder.
    """
    # In a folder of its own first: a damaged archive must not leave half of its files.
    staging = folder / f".unpacking-{archive.name}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, staging)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(staging, filter="data")  # refuses members that point outside
        top = sorted(entry.name for entry in staging.iterdir())
        for file in [f for f in staging.rglob("*") if f.is_file()]:
            target = folder / file.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
        return top
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise UserError(
            f"Cannot unpack {archive}: {error}. Nothing was unpacked. Remove the archive and "
            "download it again."
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for name in content.namelist():
            if not (folder / name).resolve().is_relative_to(folder.resolve()):
                raise zipfile.BadZipFile(f"the member '{name}' points outside the folder")
        content.extractall(folder)


def _continue(url: str, partial: Path, bar: "_Bar") -> bool:
    """Downloads what is missing. Returns whether the file is complete, or the server broke off."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "fewmask"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        # A server may send its headers byte by byte, each of them in time.
        answer = within(
            2 * TIMEOUT_SECONDS, lambda: urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        )
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # the range starts at the end, so nothing is missing
            return True
        raise
    # 206: the server continues. A server without ranges sends the whole file again.
    with answer, partial.open("ab" if answer.status == 206 else "wb") as file:
        start = have if answer.status == 206 else 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        bar.start(start, total)
        # What has arrived, and not a whole chunk: a slow server must not hide the time it takes.
        while chunk := answer.read1(CHUNK_BYTES):
            file.write(chunk)
            bar.advance(len(chunk))
        return total is None or file.tell() == total


class _BeyondLimits(Exception):
    """Says in words how a download is beyond its limits."""


class _Bar:
    """Shows how far a download has come, and ends it at its limits."""

    def __init__(self, progress: Progress, title: str, limits: Limits | None):
        self.progress, self.task = progress, progress.add_task(title, total=None)
        self.limits, self.begin, self.done = limits, time.monotonic(), 0
        self.since, self.before = self.begin, 0

    def start(self, done: int, total: int | None) -> None:
        self.progress.update(self.task, completed=done, total=total)
        self.done, self.since, self.before = done, time.monotonic(), done
        self._stop_at(total or 0)

    def advance(self, count: int) -> None:
        self.progress.advance(self.task, count)
        self.done += count
        self._stop_at(self.done)

    def _stop_at(self, size: int) -> None:
        now = time.monotonic()
        if now - self.since > SLOW_SECONDS:
            if self.done - self.before < SLOW_BYTES:
                raise OSError(f"fewer than {SLOW_BYTES} bytes arrived in {SLOW_SECONDS:g} seconds")
            self.since, self.before = now, self.done
        if self.limits is None:
            return
        if size > self.limits.bytes:
            raise _BeyondLimits(f"is larger than {self.limits.bytes / (1 << 20):g} MiB")
        if time.monotonic() - self.begin > self.limits.seconds:
            raise _BeyondLimits(f"did not arrive within {self.limits.seconds:g} seconds")


@contextmanager
def _bar(title: str, limits: Limits | None) -> Iterator[_Bar]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    # What has limits is small, and one of many that another bar counts.
    hidden = limits is not None or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield _Bar(progress, title, limits)


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()
