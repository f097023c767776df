"""Lists the image files of a pool into an index on disk, once until something changes."""

import itertools
import os
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

from fewmask import atomic
from fewmask.data.cache import cache_folder
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.data.pool.name_index import NameIndex
from fewmask.errors import UserError

LONGEST = 1 << 16
"""Characters of a line that is none: a file without lines must not fill the memory."""


def list_pool(place: Path, tell: Callable[[str], None]) -> NameIndex:
    """The names of all images below a folder or in a `.txt` list, listed again after a change.

    Args:
        place: the folder or the list. Names are paths from the folder, or the list's folder.
        tell: receives a message if the index has to be made.

    Raises:
        UserError: if there is no such place, no image in it, or the index cannot be written.
    """
    if not place.exists():
        raise UserError(f"data.pool={place}: there is no such folder or list.")
    parent = cache_folder() / "names"
    prefix = sha256(os.path.abspath(place).encode()).hexdigest()[:16]
    state = parent / f"{prefix}.state"  # the index's folder, then what was read, each with its time
    if (known := _unchanged(state)) is not None:
        return NameIndex(known)
    tell(f"Listing {place}, once until it changes ...")
    seen: list[str] = []
    names = _images_below(place, seen) if place.is_dir() else _lines(place, seen)
    # The first name is taken here, so that an empty place leaves no index behind.
    if (first := next(names, None)) is None:
        raise UserError(f"data.pool={place} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
    try:
        index = NameIndex.build(itertools.chain([first], names), parent, prefix)
        atomic.write_text(state, "".join(f"{line}\n" for line in [index.folder, *seen]))
    except OSError as error:
        raise UserError(
            f"Cannot write the index of data.pool into {parent}: {error.strerror}. Make room, or "
            "set XDG_CACHE_HOME to another folder."
        ) from None
    return index


def _unchanged(state: Path) -> Path | None:
    """The index, if every folder (or the list) still has the time it had when it was read."""
    try:
        index, *seen = state.read_text(encoding="utf-8").split("\n")[:-1]
        is_current = all(line == _stamp(line.partition(" ")[2]) for line in seen)
        return Path(index) if is_current and NameIndex.is_whole(Path(index)) else None
    except (OSError, ValueError):
        return None


def _stamp(path: str) -> str:
    return f"{os.stat(path).st_mtime_ns} {path}"


def _images_below(folder: Path, seen: list[str]) -> Iterator[str]:
    """Images in a folder and its subfolders, by their path below it. Notes each folder read."""
    waiting = [os.path.abspath(folder)]
    start = len(waiting[0].rstrip("/")) + 1
    visited: set[str] = set()
    while waiting:
        place = waiting.pop()
        if (where := os.path.realpath(place)) in visited:
            continue  # a link to a folder above would never end
        visited.add(where)
        try:
            seen.append(_stamp(place))
            entries = [e for e in os.scandir(place) if not e.name.startswith(".")]
            folders = sorted(e.path for e in entries if e.is_dir())
            files = [e for e in entries if e.name.lower().endswith(IMAGE_SUFFIXES) and e.is_file()]
        except OSError as error:
            raise UserError(f"Cannot list {place!r} of data.pool: {error.strerror}.") from None
        waiting += folders[::-1]  # taken from the end, so the first comes first
        yield from (_one_line(file.path[start:]) for file in files)


def _one_line(name: str) -> str:
    """The name, if it can be a line of a list."""
    try:
        name.encode()  # fails for bytes that are not UTF-8
    except UnicodeEncodeError:
        pass
    else:
        if len(name.splitlines()) == 1:
            return name
    raise UserError(f"The path {name!r} in data.pool cannot be written into a list. Rename it.")


def _lines(file: Path, seen: list[str]) -> Iterator[str]:
    """The lines of a list, without blank ones and comments."""
    # Not `read_lines`: the list may be too large for memory.
    seen.append(_stamp(os.path.abspath(file)))
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for whole in iter(partial(lines.readline, LONGEST), ""):
                if len(whole) == LONGEST:
                    raise UserError(f"{file} is no list: a line has {LONGEST} characters or more.")
                if (line := whole.strip()) and line.split()[0] != "#":
                    yield os.path.normpath(line)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the list {file}: {error}") from None
