"""Millions of names on disk, read one by one through a memory map."""

import hashlib
import heapq
import itertools
import json
import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from fewmask.atomic import parse_json, read_text
from fewmask.data.computed import Computed
from fewmask.errors import UserError

CHUNK = 500_000
"""How many names are sorted in memory at a time."""


class NameIndex(Computed[str]):
    """Sorted names in two memory-mapped files: the text, and where each name ends.

    Only the folder's path is sent to another process; all processes share the memory pages.

    Args:
        folder: written by `build` and never changed afterwards.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        facts = parse_json(read_text(folder / "facts.json"))
        self._count, self._sha256 = int(facts["count"]), str(facts["sha256"])
        # Memory maps: all processes share these pages, and only the pages in use are in memory.
        self._text = np.memmap(folder / "names", np.uint8, mode="r")
        self._ends = np.memmap(folder / "ends", "<i8", mode="r")

    @classmethod
    def build(cls, names: Iterable[str], parent: Path, prefix: str) -> "NameIndex":
        """Sorts names and writes them, with as much memory for ten million as for one.

        Args:
            names: in any order, at least one, without line breaks.
            parent: the folder to create the index's folder in, whole or not at all.
            prefix: starts the name of that folder, which ends in the fingerprint. Older indexes
                with this prefix are removed.

        Raises:
            UserError: for a name that comes twice.
        """
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="temporary.", dir=parent))
        try:
            digest = _write_index(names, temporary)
            folder = parent / f"{prefix}-{digest}"
            if not cls.is_whole(folder):  # a damaged one of the same names is replaced
                shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # another process was faster
                temporary.rename(folder)
            for older in set(parent.glob(f"{prefix}-*")) - {folder}:
                shutil.rmtree(older, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return cls(folder)

    @staticmethod
    def is_whole(folder: Path) -> bool:
        """Whether an index exists and its files have the length they were written with."""
        try:
            facts = parse_json(read_text(folder / "facts.json"))
            sizes = [(folder / name).stat().st_size for name in ("names", "ends")]
            return sizes == [facts["bytes"], 8 * facts["count"]]
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @property
    def sha256(self) -> str:
        """SHA-256 of the sorted names, one a line: the fingerprint of the same list in a file."""
        return self._sha256

    def __len__(self) -> int:
        return self._count

    def item(self, index: int) -> str:
        """The name at a position."""
        start = int(self._ends[index - 1]) if index else 0
        return self._text[start : int(self._ends[index]) - 1].tobytes().decode()

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        place = bisect_left(self, name)  # names are sorted: some twenty reads find one in a million
        return place < len(self) and self.item(place) == name

    def __iter__(self) -> Iterator[str]:
        with (self.folder / "names").open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                yield line[:-1]

    def __reduce__(self) -> tuple[type["NameIndex"], tuple[Path]]:
        return NameIndex, (self.folder,)


def _write_index(names: Iterable[str], folder: Path) -> str:
    """Writes `names`, `ends` and `facts.json`, and returns the SHA-256 of the names."""
    digest, count = hashlib.sha256(), 0
    with (folder / "names").open("wb") as text, (folder / "ends").open("wb") as places:
        for lines in _chunks(_sorted_on_disk(names, folder)):
            # The digest is the one of all names joined by line breaks, without joining them.
            block = "\n".join(lines).encode()
            digest.update(b"\n" * bool(count) + block)
            ends = text.tell() + np.cumsum([len(line.encode()) + 1 for line in lines])
            places.write(ends.astype("<i8").tobytes())
            text.write(block + b"\n")
            count += len(lines)
        size = text.tell()
    facts = {"count": count, "bytes": size, "sha256": digest.hexdigest()}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    return digest.hexdigest()


def _sorted_on_disk(names: Iterable[str], folder: Path) -> Iterator[str]:
    """Sorted names, each once. Sorted runs wait in files until they are merged."""
    runs = []
    for number, chunk in enumerate(_chunks(names)):
        runs.append(folder / f"run{number}")
        with runs[-1].open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{name}\n" for name in sorted(chunk))
    files = [run.open(encoding="utf-8", newline="\n") for run in runs]
    try:
        before = None
        for line in heapq.merge(*(map(_without_break, file) for file in files)):
            if line == before:
                raise UserError(f"'{line}' is named twice. Name each image once.")
            before = line
            yield line
    finally:
        for file, run in zip(files, runs, strict=True):
            file.close()
            run.unlink()


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while chunk := list(itertools.islice(rest, CHUNK)):
        yield chunk


def _without_break(line: str) -> str:
    return line[:-1]
