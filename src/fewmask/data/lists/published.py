"""Published lists of labeled images: recognizes them by fingerprint, compares and copies them.

The lists belong to their authors, so fewmask does not ship them. It ships the number of images and
the SHA-256 of the sorted ids of each list, which is enough to recognize any list that you bring.
"""

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from fewmask import atomic
from fewmask.data.dataset import Dataset
from fewmask.data.download import download, is_url
from fewmask.data.lists.reading import image_id, read_lines
from fewmask.errors import UserError, did_you_mean

_BLENDER = "blender protocol"


@dataclass(frozen=True)
class PublishedList:
    """What is known about one published list."""

    name: str
    """Data set, family and size, such as `voc/u2pl/662`."""
    kind: str
    """labeled, train (all training images) or val."""
    count: int
    sha256: str
    repository: str
    """On GitHub, owner/name."""
    revision: str
    """HEAD, or the commit that has the list."""
    path: str
    """The list's path in that repository."""
    note: str

    @property
    def data_set(self) -> str:
        """The data set it belongs to: voc, cityscapes or coco."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class ImageList:
    """A list of images, with its published names if it has any."""

    count: int
    sha256: str
    published: tuple[PublishedList, ...]

    @property
    def name(self) -> str:
        """Its published names (some families share a list), or its size."""
        names = " = ".join(p.name for p in self.published)
        return names or f"{self.count} images, own list"

    @property
    def note(self) -> str:
        """What a reader must know about a published list."""
        notes = {p.note for p in self.published if p.note}
        return f"({'; '.join(sorted(notes))})" if notes else ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a run folder or a checkpoint."""
        names = [p.name for p in self.published]
        return {"count": self.count, "sha256": self.sha256, "published": names}


def recognize(names: Iterable[str]) -> ImageList:
    """Recognizes a list, in whatever order and format.

    The fingerprint of a published list covers its ids, that of any other list its full names,
    folders included.
    """
    names = sorted(names)
    # Authors write the same images in many ways; only the ids agree.
    by_id = _sha256(sorted(map(image_id, names)))
    known = tuple(p for p in published_lists() if p.sha256 == by_id)
    return ImageList(len(names), by_id if known else _sha256(names), known)


def recognize_dataset(dataset: Dataset) -> ImageList:
    """Recognizes the list of all images of a data set.

    The names of a pool are too many to compare with published lists. It knows their fingerprint.
    """
    if dataset.is_pool:
        return ImageList(len(dataset), dataset.fingerprint(), ())
    return recognize(dataset.names)


def _sha256(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def published_lists() -> tuple[PublishedList, ...]:
    """All lists whose fingerprint is known."""
    text = (resources.files("fewmask.data.lists") / "published_splits.csv").read_text(
        encoding="utf-8"
    )
    rows = csv.DictReader(text.splitlines())
    return tuple(
        PublishedList(
            row["name"],
            row["kind"],
            int(row["count"]),
            row["sha256"],
            row["repository"],
            row["revision"],
            row["path"],
            row["note"],
        )
        for row in rows
    )


def find_published(name: str) -> PublishedList:
    """The facts about a published list.

    Raises:
        UserError: for an unknown name, with the nearest known one.
    """
    by_name = {p.name: p for p in published_lists()}
    if name not in by_name:
        raise UserError(f"There is no published list '{name}'. {did_you_mean(name, by_name)}")
    return by_name[name]


def incomparable(splits: Mapping[str, ImageList]) -> list[str]:
    """Why the rows of a table cannot be compared.

    Args:
        splits: the labeled list of each row, by the name of the row.

    Returns:
        One sentence per reason. The list is empty if the rows can be compared.
    """
    return [*_two_blender_families(splits), *_different_images(splits)]


def _two_blender_families(splits: Mapping[str, ImageList]) -> list[str]:
    families: dict[str, str] = {}
    for row, split in splits.items():
        blender = [p for p in split.published if p.note.startswith(_BLENDER)]
        if blender:
            families.setdefault("u2pl" if "U2PL" in blender[0].note else "cps", row)
    if len(families) < 2:
        return []
    return [
        f"{families['u2pl']} uses a U2PL-style blender list and {families['cps']} a CPS-style one. "
        "U2PL lists start with the well annotated images, and scores on them are about 3 points "
        "higher. Do not compare the two."
    ]


def _different_images(splits: Mapping[str, ImageList]) -> list[str]:
    reasons = []
    by_count: dict[int, tuple[str, str]] = {}
    for row, split in splits.items():
        first, sha256 = by_count.setdefault(split.count, (row, split.sha256))
        if sha256 != split.sha256:
            reasons.append(
                f"{first} and {row} both have {split.count} labeled images, but not the same ones "
                f"({splits[first].name}; {split.name})."
            )
    return reasons


def copy_published(name: str, source: str | None, file: Path) -> PublishedList:
    """Copies a published list from its authors' repository and verifies its fingerprint.

    Args:
        name: such as `voc/u2pl/662`.
        source: a clone of the repository, the list itself, or a URL of either. None downloads the
            repository's newest state from GitHub.
        file: the file to write.

    Raises:
        UserError: if the list cannot be read, or is not the published one.
    """
    wanted = find_published(name)
    source = source or f"https://raw.githubusercontent.com/{wanted.repository}/{wanted.revision}"
    if not source.endswith(".txt"):
        source = f"{source.rstrip('/')}/{wanted.path}"
    # A fixed name, so that the next call finds what an interrupted download has left.
    temporary = file.with_name(f".{file.name}")
    temporary.unlink(missing_ok=True)  # a killed run may have left half a list of another source
    with atomic.replacing(file, temporary):
        _fetch(source, wanted, temporary)
        found = recognize(read_lines(temporary))
        if wanted.sha256 != found.sha256:
            raise UserError(
                f"{source} is not the published list {name}: it has {found.count} images "
                f"({found.name}), expected {wanted.count} with fingerprint {wanted.sha256[:12]}. "
                "The repository may have changed it since."
            )
    return wanted


def _fetch(source: str, wanted: PublishedList, file: Path) -> None:
    if is_url(source):
        download(source, file)
    elif Path(source).is_file():
        file.write_bytes(Path(source).read_bytes())
    else:
        raise UserError(
            f"There is no {source}. --from takes a clone of github.com/{wanted.repository}, "
            "the list itself, or a URL of either."
        )
