"""What the published data sets have in common: one folder, a training pool, a list, a val set."""

import abc
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import StrictInt

from fewmask.data.dataset import Classes, Data, DataSource
from fewmask.data.files import Files, LabelTable, Paths
from fewmask.data.lists.published import find_published, identify, published_lists, read_lines
from fewmask.data.lists.reading import pick_names
from fewmask.errors import UserError


class Archive(NamedTuple):
    """A public file that holds a part of a data set."""

    url: str
    md5: str


class PublishedDataset(DataSource):
    """A published data set under one folder.

    Labeled are the training images on a list; unlabeled the other training images.
    """

    KEY: ClassVar[str]
    """Its word: voc, cityscapes ..."""
    CLASSES: ClassVar[Classes]
    POOL: ClassVar[int]
    VAL: ClassVar[int]
    """How many training and validation images were published."""
    HOME: ClassVar[str]
    """Where a person gets it."""
    ARCHIVES: ClassVar[tuple[Archive, ...]] = ()
    """What can be downloaded without an account."""

    class Config(DataSource.Config):
        """Where the data set lies and which of its training images count as labeled."""

        root: Path
        """The data set's folder."""
        labeled: StrictInt | str | None = None
        """Which training images count as labeled: a list file, a published list by name (such as
        voc/u2pl/662, see `fewmask split`), N for splits/labeled_N.txt, or null for all."""
        unlabeled: Literal["others", "all"] = "others"
        """The training images that are not labeled, or all of them (PseudoSeg)."""

    config: Config

    @abc.abstractmethod
    def pool(self) -> Files:
        """All training images, with the place where each one's mask belongs."""

    @abc.abstractmethod
    def val(self) -> Files:
        """The validation images, likewise."""

    @classmethod
    def convert(cls, root: Path) -> None:  # noqa: B027 - most data sets are ready as they come
        """Converts what needs converting once, skipping what is done."""

    @classmethod
    def further_counts(cls, root: Path) -> dict[str, tuple[int, int]]:
        """What else `prepare` counts, by name: found and published."""
        return {}

    def open(self) -> Data:
        """Lists the three sets.

        Raises:
            UserError: naming the first missing file, where it comes from and where it belongs.
        """
        pool, val = self.pool(), self.val()
        chosen = self._labeled(pool)
        labeled = pool.subset(chosen)
        others: Sequence[int] = range(len(pool))
        if self.config.unlabeled == "others":
            others = sorted(set(others) - set(chosen))
        for files in (labeled, val):
            self._require(files.masks, "mask")
        self._require(pool.images, "image")
        self._require(val.images, "image")
        return Data(self.CLASSES, labeled, pool.subset(others), val)

    def files(self, names: Sequence[str], images: Paths, masks: Paths, table: LabelTable) -> Files:
        """A data set of these files, as this source is configured."""
        memory: dict[Path, np.ndarray] | None = {} if self.config.in_memory else None
        return Files(images, masks, names, table, self.config.long_side, memory)

    def _labeled(self, pool: Files) -> list[int]:
        wanted = self.config.labeled
        if wanted is None:
            return list(range(len(pool)))
        file = self._list_file(wanted)
        lines = read_lines(file)
        published = identify(lines).published
        if wanted in {p.name for p in published_lists()} and wanted not in {
            p.name for p in published
        }:
            raise UserError(
                f"{file} is not the published list {wanted}: its fingerprint differs. Copy it "
                f"again: fewmask split --published {wanted} --out {file}"
            )
        if published and published[0].data_set != self.KEY:
            raise UserError(
                f"data.labeled={wanted}: {file} is the published list {published[0].name}, but "
                f"the data set is {self.KEY}. Give a list of {self.KEY}."
            )
        return pick_names(lines, pool, file)

    def _list_file(self, wanted: int | str) -> Path:
        folder = self.config.root / "splits"
        if isinstance(wanted, int):
            file = folder / f"labeled_{wanted}.txt"
            if not file.is_file():
                known = sorted(f.stem.removeprefix("labeled_") for f in folder.glob("labeled_*"))
                raise UserError(
                    f"data.labeled={wanted}: there is no {file}. Lists there: "
                    f"[{', '.join(known)}]. Give a list of image names as a .txt file, or draw "
                    "one with fewmask split."
                )
            return file
        if Path(wanted).is_file():
            return Path(wanted)
        if wanted.endswith(".txt"):
            raise UserError(f"data.labeled={wanted}: there is no such file.")
        published = find_published(wanted)
        if published.data_set != self.KEY or published.kind != "labeled":
            raise UserError(
                f"data.labeled={wanted}: that is a {published.kind} list of {published.data_set}. "
                f"Give a labeled list of {self.KEY}."
            )
        file = folder / f"{wanted}.txt"
        if not file.is_file():
            raise UserError(
                f"data.labeled={wanted}: the list belongs to {file} and is not there. Copy it from "
                f"its authors' repository: fewmask split --published {wanted} --out {file}"
            )
        return file

    def _require(self, files: Sequence[Path | None], what: str) -> None:
        """Every file must be there; folders are listed once, so that 118,000 files take a second.

        Masks may be left out for unlabeled images, so only those that are read are asked for.
        """
        listed: dict[Path, set[str]] = {}
        for file in files:
            assert file is not None
            if file.parent not in listed:
                listed[file.parent] = names_in(file.parent)
            if file.name not in listed[file.parent]:
                raise UserError(self.missing(file, what))

    def missing(self, file: Path, what: str) -> str:
        """Says which file is missing, where it comes from and where it belongs."""
        return (
            f"The {what} {file} is missing. It is part of {self.HOME} and belongs exactly there. "
            f"To check or repair the data set: fewmask prepare {self.KEY} --root "
            f"{self.config.root}"
        )

    def list_folder(self, folder: Path, suffix: str) -> list[str]:
        """The names of the files with a suffix in a folder, sorted, the suffix left out.

        Raises:
            UserError: if there are none.
        """
        names = sorted(n.removesuffix(suffix) for n in names_in(folder) if n.endswith(suffix))
        if not names:
            raise UserError(
                f"There are no *{suffix} files in {folder}. {self.KEY} comes from {self.HOME}; "
                f"data.root is {self.config.root}. See docs/protocols.md."
            )
        return names

    def read_set(self, file: Path) -> Sequence[str]:
        """The lines of one of the data set's own lists."""
        if not file.is_file():
            raise UserError(self.missing(file, "list"))
        return read_lines(file)


def names_in(folder: Path) -> set[str]:
    """The names of all entries of a folder but hidden ones; none if there is no such folder."""
    if not folder.is_dir():
        return set()
    return {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}


def first_folder(candidates: Iterable[Path], holding: str) -> Path | None:
    """The first folder that holds something of this name."""
    return next((folder for folder in candidates if (folder / holding).exists()), None)
