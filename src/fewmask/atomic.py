"""Writes files whole: a kill at any moment leaves the old file or the new one, never half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(file: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Yields a path to write to; when the block ends without an error, it takes the file's place.

    Args:
        file: to create or replace; its folder is created if needed.
        temporary: in the same folder. The default differs between processes, so that several of
            them can write the same file; a fixed one leaves at most one file behind after kills.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: Pillow chooses a format by it. The name may be too long to be extended.
    part = temporary or file.with_name(f".{os.getpid()}-{hash(file.name):x}{file.suffix}")
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_bytes(file: Path, content: bytes) -> None:
    """Writes a file whole."""
    with replacing(file) as part:
        part.write_bytes(content)


def write_text(file: Path, text: str) -> None:
    """Writes a file whole, as UTF-8 with the line ends of the text."""
    write_bytes(file, text.encode())
