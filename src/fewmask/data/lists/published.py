"""Published lists of labeled images: recognized by fingerprint, compared, copied from authors.

The lists themselves are not ours to ship; what is shipped is the number of images and the SHA-256
of the sorted ids of each, which is enough to name any list a user brings.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from fewmask.config import did_you_mean
from fewmask.data.download import download, is_url
from fewmask.data.pool.name_index import PoolNames
from fewmask.errors import UserError

_PAIR = re.compile(r"(\S+\.(?:jpg|jpeg|png))\s+\S+\.png", re.IGNORECASE)
_PARTS = re.compile(r"^COCO_(?:train|val)2014_|_leftImg8bit$")
_BLENDER = "blender protocol"


@dataclass(frozen=True)
class Published:
    """What is known of one published list."""

    name: str
    """data set / family / size, such as `voc/u2pl/662`."""
    kind: str
    """labeled, pool (all training images) or val."""
    count: int
    sha256: str
    repository: str
    """On GitHub: owner/name."""
    revision: str
    """The newest state (HEAD), or the commit that has it."""
    path: str
    """Where the list stands in that repository."""
    note: str

    @property
    def data_set(self) -> str:
        """The data set it belongs to: voc, cityscapes or coco."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Split:
    """A list of images, with its published names if it has any."""

    count: int
    sha256: str
    published: tuple[Published, ...]

    @property
    def name(self) -> str:
        """Its published names (families share some lists), or its size."""
        names = " = ".join(p.name for p in self.published)
        return names or f"{self.count} images, own list"

    @property
    def note(self) -> str:
        """What a reader must know of a published list."""
        notes = {p.note for p in self.published if p.note}
        return f"({'; '.join(sorted(notes))})" if notes else ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a run folder or a checkpoint."""
        names = [p.name for p in self.published]
        return {"count": self.count, "sha256": self.sha256, "published": names}


def image_id(line: str) -> str:
    """The id of an image, from any line of the public list formats.

    Example:
        image_id("JPEGImages/2007_000032.jpg SegmentationClass/2007_000032.png")  # 2007_000032
        image_id("leftImg8bit/train/ulm/ulm_000079_000019_leftImg8bit.png")  # ulm_000079_000019
        image_id("train2017/000000177254")  # 000000177254
    """
    pair = _PAIR.fullmatch(line)
    file = (pair[1] if pair else line).rpartition("/")[2]
    return _PARTS.sub("", re.sub(r"\.(jpg|jpeg|png)$", "", file, flags=re.IGNORECASE))


def identify(names: Iterable[str]) -> Split:
    """Recognizes a list, whatever its order and format.

    A published list has the fingerprint of its ids; another one that of its full names, folders
    included. A pool knows its own.
    """
    if isinstance(names, PoolNames):
        return Split(len(names), names.sha256, ())
    names = sorted(names)
    by_id = _sha256(sorted(map(image_id, names)))
    known = tuple(p for p in published_lists() if p.sha256 == by_id)
    return Split(len(names), by_id if known else _sha256(names), known)


def _sha256(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def published_lists() -> tuple[Published, ...]:
    """All lists whose fingerprint is known."""
    text = (resources.files("fewmask.data.lists") / "published_splits.csv").read_text(
        encoding="utf-8"
    )
    rows = csv.DictReader(text.splitlines())
    return tuple(
        Published(
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


def find_published(name: str) -> Published:
    """The facts of a published list.

    Raises:
        UserError: for a name that is none, with the nearest one.
    """
    by_name = {p.name: p for p in published_lists()}
    if name not in by_name:
        raise UserError(f"There is no published list '{name}'. {did_you_mean(name, by_name)}")
    return by_name[name]


def incomparable(splits: Mapping[str, Split]) -> list[str]:
    """Why the rows of a table cannot be compared; empty if they can.

    Args:
        splits: the labeled list of each row, by the row's name.

    Returns:
        One sentence per reason.
    """
    reasons = []
    families: dict[str, str] = {}
    for row, split in splits.items():
        blender = [p for p in split.published if p.note.startswith(_BLENDER)]
        if blender:
            families.setdefault("u2pl" if "U2PL" in blender[0].note else "cps", row)
    if len(families) == 2:
        reasons.append(
            f"{families['u2pl']} uses a U2PL-style blender list and {families['cps']} a CPS-style "
            "one. The U2PL lists take the well annotated images first: about 3 points higher. "
            "Never compare the two."
        )
    by_count: dict[int, tuple[str, str]] = {}
    for row, split in splits.items():
        first, sha256 = by_count.setdefault(split.count, (row, split.sha256))
        if sha256 != split.sha256:
            reasons.append(
                f"{first} and {row} both have {split.count} labeled images, but not the same ones "
                f"({splits[first].name}; {split.name})."
            )
    return reasons


def copy_published(name: str, source: str | None, file: Path) -> Published:
    """Copies a published list from its authors' repository and verifies its fingerprint.

    Args:
        name: such as `voc/u2pl/662`.
        source: a clone of the repository, the list itself, or a URL of either; None asks GitHub
            for the repository's newest state.
        file: where to write it.

    Raises:
        UserError: if it cannot be had, or is not the published list.
    """
    wanted = find_published(name)
    source = source or f"https://raw.githubusercontent.com/{wanted.repository}/{wanted.revision}"
    if not source.endswith(".txt"):
        source = f"{source.rstrip('/')}/{wanted.path}"
    part = file.with_name(file.name + ".part")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        if is_url(source):
            download(source, part)
        elif not Path(source).is_file():
            raise UserError(
                f"There is no {source}. --from takes a clone of github.com/{wanted.repository}, "
                "the list itself, or a URL of either."
            )
        else:
            part.write_bytes(Path(source).read_bytes())
        found = identify(read_lines(part))
        if wanted.sha256 != found.sha256:
            raise UserError(
                f"{source} is not the published list {name}: it has {found.count} images "
                f"({found.name}), expected {wanted.count} with fingerprint {wanted.sha256[:12]}. "
                "The repository may have changed it since."
            )
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return wanted


def read_lines(file: Path) -> Sequence[str]:
    """The lines of a .txt list, without blank ones and comments (`#` before a space, or alone).

    Raises:
        UserError: if the file is missing, empty, no text, or names something twice.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the list {file}: {error}") from None
    lines = [line for line in lines if line and line.split()[0] != "#"]
    if not lines:
        raise UserError(f"The list {file} is empty; expected one name a line.")
    if len(set(lines)) < len(lines):
        twice = next(line for line, count in Counter(lines).items() if count > 1)
        raise UserError(f"The list {file} names '{twice}' twice; name each image once.")
    return lines
