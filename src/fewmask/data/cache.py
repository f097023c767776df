"""What is kept on disk between runs: small facts, and decoded images if asked for."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from fewmask import atomic
from fewmask.errors import UserError


def cache_folder() -> Path:
    """Where small facts are kept between runs: $XDG_CACHE_HOME/fewmask, or ~/.cache/fewmask."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fewmask"


@dataclass(frozen=True)
class DecodedFolder:
    """Keeps decoded arrays, by the file they came from and how it was read.

    A photo of 12 megapixels is unpacked and shrunk once, not in every epoch.

    Args:
        folder: made when needed; may be deleted at any time between runs.
    """

    folder: Path

    def get(self, file: Path, how: object, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of a file, memory-mapped; read and kept the first time.

        Args:
            file: a change of its size or time makes its copy void.
            how: whatever else the array depends on, with a `repr` that tells.
            read: reads and decodes the file.

        Raises:
            UserError: as `read` does, or if the folder cannot be written to.
        """
        try:
            status = os.stat(file)
        except OSError:
            return read()  # which says what is wrong
        facts = repr((os.path.abspath(file), status.st_size, status.st_mtime_ns, how))
        digest = hashlib.sha256(facts.encode()).hexdigest()
        kept = self.folder / digest[:2] / f"{digest[2:]}.npy"
        try:
            found: np.ndarray = np.load(kept, mmap_mode="r")
            return found
        except (OSError, ValueError, EOFError):  # not there, or damaged
            array = read()
        content = BytesIO()
        np.save(content, array)
        try:
            atomic.write_bytes(kept, content.getvalue())
        except OSError as error:
            raise UserError(
                f"Cannot keep decoded images in data.cache={self.folder}: {error.strerror}. Make "
                "room, choose another folder, or leave data.cache out."
            ) from None
        return array
