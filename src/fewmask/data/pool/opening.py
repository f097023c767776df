"""Unlabeled images by the million: a folder, a list, or tar shards, none of it held in memory."""

import glob
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fewmask import atomic
from fewmask.batch import Dataset
from fewmask.data.cache import cache_folder
from fewmask.data.computed import Computed
from fewmask.data.files import Files, LabelTable, Paths
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.data.pool.name_index import NameIndex
from fewmask.data.pool.shard_files import Downloads, is_remote, list_shards, shard_sizes
from fewmask.data.pool.shards import ShardPool
from fewmask.errors import UserError


def open_pool(
    place: str, long_side: int | None, channels: int, disk_gb: float, tell: Callable[[str], None]
) -> Dataset:
    """Opens a pool of unlabeled images.

    Args:
        place: a folder of images or of shards, a `.txt` list of images, or shards by path or URL,
            with `*` or a range such as `{000..127}`.
        long_side: pixels, or None for the images' own size.
        channels: bands of an image.
        disk_gb: what shards behind URLs may take on the disk, in GB.
        tell: says what takes a while.

    Raises:
        UserError: if there is no such place, or no image in it.
    """
    if Path(place).is_dir() and (shards := glob.glob(f"{glob.escape(place)}/*.tar")):
        if any(entry.name.lower().endswith(IMAGE_SUFFIXES) for entry in os.scandir(place)):
            raise UserError(
                f"data.pool={place} holds both images and shards (*.tar). Give them a folder each."
            )
        return _shards(sorted(shards), long_side, channels, disk_gb, tell)
    if place.endswith(".tar"):
        return _shards(list_shards(place), long_side, channels, disk_gb, tell)
    if is_remote(place):
        raise UserError(f"data.pool={place}: behind a URL, a pool is tar shards (*.tar).")
    folder, names = _indexed(Path(place), tell)
    images, table = Paths(folder, names, ""), LabelTable(num_classes=256)
    return Files(images, Nothing(len(names)), names, table, long_side, channels=channels)


def _shards(
    urls: list[str],
    long_side: int | None,
    channels: int,
    disk_gb: float,
    tell: Callable[[str], None],
) -> ShardPool:
    downloads = Downloads(cache_folder() / "shards", int(disk_gb * 1e9))
    sizes = shard_sizes(urls, downloads, cache_folder() / "shard_sizes", tell)
    if sizes.sum() == 0:
        raise UserError(f"The {len(urls)} shard(s) of data.pool hold no images.")
    return ShardPool(urls, sizes, downloads, channels, long_side)


@dataclass(frozen=True)
class Nothing(Computed[None]):
    """So many times None: the masks of images that have none."""

    length: int

    def __len__(self) -> int:
        return self.length

    def item(self, index: int) -> None:
        """None, wherever."""


def _indexed(place: Path, tell: Callable[[str], None]) -> tuple[Path, NameIndex]:
    """The folder that names start from, and the names; indexed anew when the place has changed."""
    if not place.exists():
        raise UserError(f"data.pool={place}: there is no such folder or list.")
    parent = cache_folder() / "names"
    prefix = sha256(os.path.abspath(place).encode()).hexdigest()[:16]
    state = parent / f"{prefix}.state"  # the index's folder, then what it was read from, and when
    folder = place if place.is_dir() else place.parent
    if (known := _still_true(state)) is not None:
        return folder, NameIndex(known)
    tell(f"Listing {place}, once until it changes ...")
    seen: list[str] = []
    names = _images_below(place, seen) if place.is_dir() else _lines(place, seen)
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
    return folder, index


def _stamp(path: str) -> str:
    return f"{os.stat(path).st_mtime_ns} {path}"


def _still_true(state: Path) -> Path | None:
    """The index, if every folder (or list) still has the time it had when it was read."""
    try:
        index, *seen = state.read_text(encoding="utf-8").split("\n")[:-1]
        is_current = all(line == _stamp(line.partition(" ")[2]) for line in seen)
        return Path(index) if is_current and NameIndex.is_whole(Path(index)) else None
    except (OSError, ValueError):
        return None


def _images_below(folder: Path, seen: list[str]) -> Iterator[str]:
    """Images of a folder and its subfolders, by their path below it; notes what was read."""
    waiting = [os.path.abspath(folder)]
    start = len(waiting[0].rstrip("/")) + 1
    visited: set[str] = set()
    while waiting:
        place = waiting.pop()
        if (where := os.path.realpath(place)) in visited:
            continue  # a link to a folder above would go on for ever
        visited.add(where)
        try:
            seen.append(_stamp(place))
            entries = [e for e in os.scandir(place) if not e.name.startswith(".")]
            folders = sorted(e.path for e in entries if e.is_dir())
            files = [e for e in entries if e.name.lower().endswith(IMAGE_SUFFIXES) and e.is_file()]
        except OSError as error:
            raise UserError(f"Cannot list {place!r} of data.pool: {error.strerror}.") from None
        waiting += folders[::-1]
        yield from (_plain(file.path[start:]) for file in files)


def _plain(name: str) -> str:
    """The name, if a list could hold it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        pass
    else:
        if len(name.splitlines()) == 1:
            return name
    raise UserError(f"The path {name!r} in data.pool cannot be written into a list. Rename it.")


def _lines(file: Path, seen: list[str]) -> Iterator[str]:
    """The lines of a list, without blank ones and comments."""
    seen.append(_stamp(os.path.abspath(file)))
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for line in map(str.strip, lines):
                if line and line.split()[0] != "#":
                    yield os.path.normpath(line)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the list {file}: {error}") from None
