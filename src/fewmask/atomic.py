"""Writes and reads files completely.

A kill at any moment leaves the old file or the new one. What is read may come from anybody, and
neither waits without end nor fills the memory.
"""

import csv
import errno
import json
import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(file: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Yields a path to write to. If the block ends without an error, it replaces the file.

    Args:
        file: to create or replace. Its folder is created if necessary.
        temporary: the path to write to, in the same folder. The default differs between processes
            and threads, so that several can write the same file. A fixed path leaves at most one
            file behind, however often a process is killed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: Pillow chooses a format by it. The name may be too long to be extended.
    # `is_leftover` knows such names.
    own = f".{os.getpid()}-{threading.get_ident():x}-{hash(file.name):x}{file.suffix}"
    temporary = temporary or file.with_name(own)
    try:
        yield temporary
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def is_leftover(file: Path) -> bool:
    """Whether a file is what a killed `replacing` has left, in this version or in 0.1."""
    name = r"\.\d+-[0-9a-f]+--?[0-9a-f]+(\.[^.]*)?|\..+\.\d+"
    return re.fullmatch(name, file.name) is not None


def write_bytes(file: Path, content: bytes) -> None:
    """Writes a file completely or not at all."""
    with replacing(file) as temporary:
        temporary.write_bytes(content)


def write_text(file: Path, text: str) -> None:
    """Writes a text file completely or not at all, as UTF-8 with the line ends of the text."""
    write_bytes(file, text.encode())


def unshare(file: Path) -> None:
    """Gives a file that is about to grow a place of its own.

    It may be a hard link of a file of the user, such as a backup by `cp -al`, which must not grow.
    """
    if file.is_file() and file.stat().st_nlink > 1:
        write_bytes(file, file.read_bytes())


LARGEST = 2 << 30
"""Bytes of a file that is read as a whole. The annotations of large data sets have less."""


def obstacle(file: Path) -> str:
    """Why a file cannot be read to its end, in words; empty if it can, or is missing."""
    try:
        status = file.stat()
    except OSError:
        return ""
    if not stat.S_ISREG(status.st_mode):
        return "it is a folder, a pipe or a device, and not a file"
    # The kernel's own files have no size either, and some of them never end.
    return "" if status.st_size else "it is empty"


def read_bytes(file: Path) -> bytes:
    """The content of a file.

    Raises:
        OSError: if it is missing, a pipe or a device, larger than `LARGEST`, or cannot be read.
    """
    status = file.stat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and not a file", str(file))
    if status.st_size > LARGEST:
        size = f"it has {status.st_size / 2**30:.1f} GiB, and {LARGEST >> 30} are the limit"
        raise OSError(errno.EFBIG, size, str(file))
    return file.read_bytes() if status.st_size else b""


class NotText(OSError, ValueError):
    """A file that should hold text, and does not."""


def read_text(file: Path, encoding: str = "utf-8", errors: str = "strict") -> str:
    """The text of a file, with one character as line end.

    Raises:
        OSError: as of `read_bytes`.
        NotText: if it is in another encoding.
    """
    try:
        text = read_bytes(file).decode(encoding, errors)
    except UnicodeDecodeError:
        raise NotText(errno.EILSEQ, "it is not UTF-8 text", str(file)) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(text: str | bytes, **options: Any) -> Any:
    """What JSON of anybody stands for; options as of `json.loads`.

    Raises:
        ValueError: if it is damaged, or has parts in parts without an end.
    """
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_csv(lines: Iterable[str], **options: Any) -> list[list[str]]:
    """The rows of a table of anybody; options as of `csv.reader`.

    Raises:
        ValueError: if it is none.
    """
    try:
        return [*csv.reader(lines, **options)]
    except csv.Error as error:
        raise ValueError(f"it is no table: {error}") from None
