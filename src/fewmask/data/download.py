"""Fetches public archives: resumed after a break, verified, unpacked inside their folder only."""

import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fewmask.errors import UserError

CHUNK_BYTES = 1 << 20
ATTEMPTS = 5
WAIT_SECONDS = 60


def is_url(text: str) -> bool:
    """Whether a text is an address to download from."""
    return text.startswith(("http://", "https://"))


def download(url: str, file: Path, md5: str | None = None) -> Path:
    """Downloads a file; what an earlier, interrupted call has got is kept and continued.

    Until it is complete and verified, the file is called `NAME.download`.

    Args:
        url: where from.
        file: where to.
        md5: of the whole file, as its publisher states it; None verifies the length alone.

    Raises:
        UserError: if the server cannot be reached or keeps breaking off, or the checksum is wrong;
            a file with a wrong checksum is removed.
    """
    if file.is_file() and (md5 is None or _md5(file) == md5):
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".download")
    with _bar(file.name) as bar:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if _continue(url, part, bar):
                    break
            except (urllib.error.HTTPError, ValueError) as error:  # not there, or no address
                raise UserError(f"Cannot download {url}: {error}. Is the address right?") from None
            except (OSError, HTTPException) as error:
                if attempt == ATTEMPTS:
                    kept = f" What has arrived is kept in {part}." if part.exists() else ""
                    raise UserError(
                        f"Cannot download {url}: {error}.{kept} The same command goes on."
                    ) from None
        else:
            raise UserError(f"{url} broke off {ATTEMPTS} times; the same command continues it.")
    if md5 is not None and _md5(part) != md5:
        part.unlink()
        raise UserError(
            f"{url}: the checksum is wrong (expected MD5 {md5}), so the file was removed. Try "
            "again; if it stays so, the publisher has changed the file."
        )
    part.replace(file)
    return file


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpacks a .tar, .tgz or .zip into a folder, all of it or nothing.

    Returns:
        The names that lie in the folder itself: what to look for later.

    Raises:
        UserError: if it is damaged, or a member would land outside the folder.
    """
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
            f"Cannot unpack {archive}: {error}. Nothing was kept of it. Remove the archive and "
            "download it again."
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for name in content.namelist():
            if not (folder / name).resolve().is_relative_to(folder.resolve()):
                raise zipfile.BadZipFile(f"its member '{name}' points outside the folder")
        content.extractall(folder)


def _continue(url: str, part: Path, bar: "_Bar") -> bool:
    """Fetches what is missing of `part`; True if it is complete, False if the server broke off."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=WAIT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # the range starts at the end: nothing is missing
            return True
        raise
    with answer, part.open("ab" if answer.status == 206 else "wb") as file:
        start = have if answer.status == 206 else 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        bar.start(start, total)
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            bar.advance(len(chunk))
        return total is None or file.tell() == total


class _Bar:
    def __init__(self, progress: Progress, title: str):
        self.progress, self.task = progress, progress.add_task(title, total=None)

    def start(self, done: int, total: int | None) -> None:
        self.progress.update(self.task, completed=done, total=total)

    def advance(self, count: int) -> None:
        self.progress.advance(self.task, count)


@contextmanager
def _bar(title: str) -> Iterator[_Bar]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield _Bar(progress, title)


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()
