"""What published data sets have in common: one folder, training and val images, labeled lists."""

import abc
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from pydantic import StrictInt

from fewmask.data.classes import Classes
from fewmask.data.files import Files
from fewmask.data.lists.published import find_published, published_lists, recognize
from fewmask.data.lists.reading import match_names, read_lines
from fewmask.data.source import Data, DataSource
from fewmask.errors import UserError, listed

Split = Literal["train", "val"]


class Archive(NamedTuple):
    """A public file with some of the images or masks of a data set."""

    url: str
    md5: str


class PublishedDataset(DataSource):
    """A published data set under one folder.

    The training images on a list are labeled, the other training images are unlabeled.
    """

    KEY: ClassVar[str]
    """Its name in recipes: voc, cityscapes ..."""
    CLASSES: ClassVar[Classes]
    TRAIN_IMAGES: ClassVar[int]
    VAL_IMAGES: ClassVar[int]
    """How many training and validation images were published."""
    HOME: ClassVar[str]
    """Where to get it."""
    ARCHIVES: ClassVar[tuple[Archive, ...]] = ()
    """The archives that can be downloaded without an account."""

    class Config(DataSource.Config):
        """Where the data set lies and which of its training images count as labeled."""

        root: Path
        """The data set's folder."""
        labeled: StrictInt | str | None = None
        """Which training images count as labeled: a list file, a published list by name (such as
        voc/u2pl/662, see `fewmask split`), N for splits/labeled_N.txt, or null for all."""
        unlabeled: Literal["others", "all"] = "others"
        """Which training images are unlabeled: `others` for those that are not labeled, or `all`
        of them (PseudoSeg)."""

    config: Config

    @abc.abstractmethod
    def files(self, split: Split) -> Files:
        """All training or validation images, with the paths where their masks belong."""

    @classmethod
    def convert(cls, root: Path) -> None:  # noqa: B027 - most need no conversion
        """Converts files into the form that training reads. What is done is skipped."""

    @classmethod
    def image_labels(cls, root: Path) -> Path | None:
        """The file that `convert` writes for `data.image_labels`; None if it writes none."""
        return None

    @classmethod
    def further_counts(cls, root: Path) -> dict[str, tuple[int, int]]:
        """Further counts for `fewmask prepare`, by name: found and published."""
        return {}

    def open(self) -> Data:
        """Lists the three sets.

        Raises:
            UserError: naming the first missing file, where it comes from and where it belongs.
        """
        train, val = self.files("train"), self.files("val")
        chosen = self._labeled(train)
        labeled = train.subset(chosen)
        unlabeled: Sequence[int] = range(len(train))
        if self.config.unlabeled == "others":
            unlabeled = sorted(set(unlabeled) - set(chosen))
        # Masks of unlabeled images are never read, so they may be missing.
        for files in (labeled, val):
            self._require(files.masks, "mask")
        self._require(train.images, "image")
        self._require(val.images, "image")
        return Data(self.classes(val), labeled, train.subset(unlabeled), val)

    def classes(self, val: Files) -> Classes:
        """The classes, with the values of this copy's mask files."""
        return self.CLASSES

    def _labeled(self, train: Files) -> list[int]:
        wanted = self.config.labeled
        if wanted is None:
            return list(range(len(train)))
        file = self._list_file(wanted)
        lines = read_lines(file)
        published = recognize(lines).published
        is_published_name = wanted in {p.name for p in published_lists()}
        if is_published_name and wanted not in {p.name for p in published}:
            raise UserError(
                f"{file} is not the published list {wanted}: its fingerprint differs. Copy it "
                f"again: fewmask split --published {wanted} --out {file}"
            )
        if published and published[0].data_set != self.KEY:
            raise UserError(
                f"data.labeled={wanted}: {file} is the published list {published[0].name}, but "
                f"the data set is {self.KEY}. Give a list of {self.KEY}."
            )
        return match_names(lines, train.names, file)

    def _list_file(self, wanted: int | str) -> Path:
        folder = self.config.root / "splits"
        if isinstance(wanted, int):
            file = folder / f"labeled_{wanted}.txt"
            if not file.is_file():
                known = sorted(f.stem.removeprefix("labeled_") for f in folder.glob("labeled_*"))
                raise UserError(
                    f"data.labeled={wanted}: there is no {file}. Lists there: "
                    f"[{listed(known)}]. Give a list of image names as a .txt file, or draw "
                    "one with fewmask split."
                )
            return file
        if Path(wanted).is_file():  # before published names: a file of that name is meant
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
                f"data.labeled={wanted}: there is no {file}. Copy the list from its authors' "
                f"repository: fewmask split --published {wanted} --out {file}"
            )
        return file

    def _require(self, files: Sequence[Path | None], what: str) -> None:
        """Every file must exist. Folders are listed once, so that 118,000 files take a second."""
        names: dict[Path, set[str]] = {}
        for file in files:
            assert file is not None
            if file.parent not in names:
                names[file.parent] = names_in(file.parent)
            if file.name not in names[file.parent]:
                raise UserError(self.missing(file, what))

    def missing(self, file: Path, what: str) -> str:
        """The message about a missing file: where it comes from and where it belongs."""
        return (
            f"The {what} {file} is missing. It is part of {self.HOME} and belongs exactly there. "
            f"To check or repair the data set, run: fewmask prepare {self.KEY} --root "
            f"{self.config.root}"
        )

    def list_folder(self, folder: Path, suffix: str) -> list[str]:
        """The names of the files with a suffix in a folder, sorted and without the suffix.

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

    def read_own_list(self, file: Path) -> Sequence[str]:
        """The lines of one of the data set's own lists."""
        if not file.is_file():
            raise UserError(self.missing(file, "list"))
        return read_lines(file)


def names_in(folder: Path) -> set[str]:
    """The names of the entries in a folder, except hidden ones; empty if it does not exist."""
    if not folder.is_dir():
        return set()
    return {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}


def first_folder(candidates: Iterable[Path], holding: str) -> Path | None:
    """The first folder that has an entry of this name, or None.

    Args:
        candidates: folders, in order of preference.
        holding: the name of the entry.
    """
    return next((folder for folder in candidates if (folder / holding).exists()), None)
