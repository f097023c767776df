"""Keeps things on disk between runs: small facts, and decoded images if you ask for it."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from fewmask import atomic
from fewmask.data.own_files import require_inside
from fewmask.errors import UserError


def cache_folder() -> Path:
    """The folder for small facts: $XDG_CACHE_HOME/fewmask, or ~/.cache/fewmask.

    It may be one that cannot be written to, and facts are then found anew each time.
    """
    given = os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given) / "fewmask"
    try:
        return Path.home() / ".cache/fewmask"
    except RuntimeError:  # no HOME, and a user without an entry, as in `docker run --user 1234`
        return Path(os.devnull) / "fewmask"


@dataclass(frozen=True)
class DecodedFolder:
    """Keeps decoded arrays, by the file they came from and by how it was read.

    So a photo of 12 megapixels is decoded and resized once, and not in every epoch.

    Args:
        folder: is created when needed. You may delete it between runs.
    """

    folder: Path

    def get(self, file: Path, how: object, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of a file, memory-mapped. The first time, it is read and kept.

        Args:
            file: if its size or time changes, it is read again. It may be a folder of files.
            how: everything else that the array depends on, with a `repr` that shows it.
            read: reads and decodes the file.

        Raises:
            UserError: if `read` raises it, or the folder cannot be written to.
        """
        try:
            files = [file, *sorted(file.iterdir())] if file.is_dir() else [file]
            status = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        except OSError:
            return read()  # it raises the error that says what is wrong
        facts = repr((os.path.abspath(file), status, how))
        digest = hashlib.sha256(facts.encode()).hexdigest()
        # Subfolders: one folder with a hundred thousand files is slow.
        kept = self.folder / digest[:2] / f"{digest[2:]}.npy"
        try:
            found: np.ndarray = np.load(kept, mmap_mode="r")
            return found
        except (OSError, ValueError, EOFError):  # there is no copy, or it is damaged
            array = read()
        require_inside(kept.parent, self.folder)
        content = BytesIO()
        np.save(content, array)
        try:
            atomic.write_bytes(kept, content.getvalue())
        except OSError as error:
            raise UserError(
                f"Cannot keep decoded images in data.cache={self.folder}: {error.strerror}. Free "
                "some space, choose another folder, or leave data.cache out."
            ) from None
        return array
