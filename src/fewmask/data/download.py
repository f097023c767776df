"""Downloads public archives, resumes after a break, verifies and unpacks them."""

import hashlib
import lzma
import shutil
import stat
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from fewmask.data.deadline import NoAnswer, within
from fewmask.data.download_bar import Bar, BeyondLimits, Limits, progress_bar
from fewmask.errors import UserError

DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(RuntimeError, ValueError),  # an unknown compression, a NUL in a name
    *(ArithmeticError, MemoryError),  # sizes that cannot be
)
"""What reading an archive may raise."""
CHUNK_BYTES = 1 << 20
ATTEMPTS = 5
TIMEOUT_SECONDS = 60


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
    with progress_bar(file.name, limits) as bar:
        try:
            _continue_until_complete(url, partial, bar)
        except BeyondLimits as beyond:
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


def _continue_until_complete(url: str, partial: Path, bar: "Bar") -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if _continue(url, partial, bar):
                return
        except NoAnswer as error:
            raise UserError(f"Cannot download {url}: {error}. Try again later.") from None
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
    """Unpacks the files of a .tar, .tgz or .zip file into a folder, all of them or none.

    Args:
        archive: to unpack.
        folder: receives the members. It is created if necessary.

    Returns:
        The top-level names that were unpacked.

    Raises:
        UserError: if the archive is damaged or encrypted, or a member is a link or leads outside.
    """
    # In a folder of its own first: a damaged archive must not leave half of its files.
    staging = folder / f".unpacking-{archive.name}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        for name, content in (
            _unzipped(archive) if zipfile.is_zipfile(archive) else _untarred(archive)
        ):
            target = staging / _inside(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file, content:
                shutil.copyfileobj(content, file, CHUNK_BYTES)
        top = sorted(entry.name for entry in staging.iterdir())
        for unpacked in [f for f in staging.rglob("*") if f.is_file()]:
            target = folder / unpacked.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            unpacked.replace(target)
        return top
    except DAMAGED as error:
        raise UserError(
            f"Cannot unpack {archive}: {error}. Nothing was unpacked. Remove the archive and "
            "download it again."
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _inside(name: str) -> Path:
    """The path of a member, which must stay in the folder. Pythons before 3.11.13 let some out."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
        raise tarfile.TarError(f"the member '{name}' points outside the folder")
    return Path(*path.parts)


def _untarred(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of a tar archive. Links and devices may lead anywhere, and data sets have none."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.size < 0:  # tarfile would go back, perhaps without end
                raise tarfile.TarError(f"the member '{member.name}' has a size below 0")
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content
            elif not member.isdir():
                raise tarfile.TarError(f"the member '{member.name}' is a link or a device")


def _unzipped(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of a zip archive."""
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if member.flag_bits & 1:
                raise zipfile.BadZipFile(f"the member '{member.filename}' is encrypted")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise zipfile.BadZipFile(f"the member '{member.filename}' is a link")
            if not member.is_dir():
                yield member.filename, opened.open(member)


def _continue(url: str, partial: Path, bar: "Bar") -> bool:
    """Downloads what is missing. Returns whether the file is complete, or the server broke off."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "fewmask"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        # A server may send its headers byte by byte, and each of them in time.
        answer = within(
            TIMEOUT_SECONDS, lambda: urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS + 1)
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
        while chunk := within(TIMEOUT_SECONDS, lambda: answer.read1(CHUNK_BYTES)):
            file.write(chunk)
            bar.advance(len(chunk))
        return total is None or file.tell() == total


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()
