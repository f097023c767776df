"""Knows which files in a folder are still as fewmask wrote them, so that it replaces no others."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from fewmask import atomic
from fewmask.errors import UserError

NOTES = ".fewmask.sha256"
"""The file that lists what fewmask wrote into a folder, as `sha256sum` does."""


class OwnFiles:
    """Writes files into a folder, and notes the SHA-256 of each one before it is there.

    A file that has been noted with another content, or not at all, is somebody else's work. Several
    processes may write into one folder. If the notes are lost, every file is taken for the user's.

    Args:
        folder: where the notes are. Files may be in its subfolders.
        tell: is told which files are kept.

    Example:
        own = OwnFiles(out)
        if own.may_write(out / "list.txt"):
            own.write_text(out / "list.txt", text)
    """

    def __init__(self, folder: Path, tell: Callable[[str], None] = print):
        self.notes, self.tell = folder / NOTES, tell
        self._lock, self._noted = Lock(), set[str]()
        self._size, self._is_whole = 0, True
        require_no_link(self.notes)
        self._refresh()

    def is_free(self, file: Path) -> bool:
        """Whether a file is missing, empty, or still as fewmask wrote it."""
        if not file.exists():
            return True
        return file.is_file() and (file.stat().st_size == 0 or self._knows(self._line(file, file)))

    def may_write(self, file: Path) -> bool:
        """Whether a file is free. If not, says that it is kept."""
        if self.is_free(file):
            return True
        self.tell(
            f"Kept: {file} was changed since fewmask wrote it, or is not from fewmask. To have it "
            "written again, move it away."
        )
        return False

    def require_free(self, *files: Path) -> None:
        """Makes sure that files may be written, before anything is computed for them.

        Raises:
            UserError: if one was changed, or is somebody else's.
        """
        for file in files:
            if not self.is_free(file):
                raise UserError(
                    f"{file} was changed since fewmask wrote it, or is not from fewmask, so it is "
                    "kept. Move it away, or write to another place."
                )

    def require_inside(self, place: Path) -> None:
        """Makes sure that a folder to write to is where it seems to be, and not behind a link.

        Raises:
            UserError: if a link leads out of the folder of the notes.
        """
        require_inside(place, self.notes.parent)

    @contextmanager
    def replacing(self, file: Path) -> Iterator[Path]:
        """Yields a path to write to, which replaces the file at the end; see `atomic.replacing`.

        Raises:
            UserError: if a link leads out of the folder of the notes.
        """
        self.require_inside(file.parent)
        with atomic.replacing(file) as temporary:
            yield temporary
            # Before the file is in place: after a kill in between, both the old and the new
            # content are known.
            self._note(self._line(file, temporary))

    def write_text(self, file: Path, text: str) -> None:
        """Writes a text file completely or not at all, as UTF-8."""
        with self.replacing(file) as temporary:
            temporary.write_bytes(text.encode())

    def has_noted(self, file: Path) -> bool:
        """Whether fewmask wrote a file of this name, whatever it holds today."""
        self._refresh()
        return any(
            line.endswith(f"  {self._name(file)}") for line in self._noted.copy()
        )  # others add

    def note(self, file: Path) -> None:
        """Notes a file that was written otherwise."""
        self._note(self._line(file, file))

    def _line(self, file: Path, content: Path) -> str:
        with content.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return f"{digest}  {self._name(file)}"

    def _name(self, file: Path) -> str:
        name = os.path.relpath(os.path.abspath(file), os.path.abspath(self.notes.parent))
        return Path(name).as_posix()

    def _knows(self, line: str) -> bool:
        if line not in self._noted:
            self._refresh()  # another process may have written the file
        return line in self._noted

    def _note(self, line: str) -> None:
        with self._lock:
            if line in self._noted:
                return
            self.notes.parent.mkdir(parents=True, exist_ok=True)
            atomic.unshare(self.notes)
            with self.notes.open("ab") as stream:
                # A full disk may have cut off the last line, which must not spoil this one.
                start = "" if self._is_whole else "\n"
                stream.write(f"{start}{line}\n".encode(errors="surrogateescape"))
            self._noted.add(line)
            self._is_whole = True

    def _refresh(self) -> None:
        """Reads the notes, unless they are as they were."""
        size = self.notes.stat().st_size if self.notes.is_file() else 0
        if size != self._size:
            text = atomic.read_text(self.notes, errors="surrogateescape")
            self._noted |= {*text.split("\n")}
            self._size, self._is_whole = size, text.endswith("\n")


def require_no_link(file: Path) -> None:
    """Makes sure that a place that is written to is no link: it could lead to a user's file.

    Raises:
        UserError: if it is one, or a pipe or a device, which might never answer.
    """
    if file.exists() and not (file.is_file() or file.is_dir()):
        raise UserError(f"{file} is a pipe or a device, and not a file. Remove it.")
    if file.is_symlink():
        raise UserError(
            f"{file} is a link to {os.path.realpath(file)}, which fewmask would change. Remove the "
            "link."
        )


def require_inside(place: Path, home: Path) -> None:
    """Makes sure that a place to write to is in a folder, and that no link leads out of it.

    Raises:
        UserError: if one does.
    """
    found = os.path.realpath(place)
    if not Path(found).is_relative_to(os.path.realpath(home)):
        raise UserError(
            f"{place} is a link to {found}, or behind one, and what is written there would be "
            f"outside of {home}. Remove the link, or write to another place."
        )


def links_out(folder: Path) -> dict[str, str]:
    """Links in a run folder that lead out of it, where files would be written: name to target."""
    home, found = os.path.realpath(folder), {}
    for place in (*folder.glob("*"), *folder.glob("*/*")):
        target = os.path.realpath(place)
        if place.is_symlink() and not Path(target).is_relative_to(home):
            found[place.relative_to(folder).as_posix()] = target
    return found
