"""Converts a published data set into the form that training reads."""

from collections.abc import Callable
from pathlib import Path

from fewmask import atomic
from fewmask.config import find, trust, validate
from fewmask.data import Data
from fewmask.data.download import download, unpack
from fewmask.data.lists.published import recognize_dataset
from fewmask.data.sources import SOURCES
from fewmask.data.sources.published_dataset import PublishedDataset
from fewmask.errors import UserError


def prepare(
    name: str, root: Path, with_download: bool, tell: Callable[[str], None]
) -> tuple[Data, list[str]]:
    """Downloads what is public (if asked), converts the files, and counts the images.

    Finished work is skipped. After an interruption, make the same call again.

    Args:
        name: voc, cityscapes, coco, ade20k or camvid.
        root: the data set's folder.
        with_download: whether to fetch the archives.
        tell: receives messages on progress.

    Returns:
        The data with all training images labeled, and a sentence for each difference from the
        published data set.

    Raises:
        UserError: if files are missing or damaged.
    """
    trust.allow_names({"data": name})
    source = find(name, SOURCES, "data")
    if not issubclass(source, PublishedDataset):
        raise UserError(f"'{name}' needs no preparation; train with data={name}.")
    if with_download:
        _fetch(source, root, tell)
    source.convert(root)
    data = source(validate(source.Config, {"name": name, "root": root}, "data")).open()
    warnings = []
    for kind, files, expected in (
        ("training", data.labeled, source.TRAIN_IMAGES),
        ("validation", data.val, source.VAL_IMAGES),
    ):
        split = recognize_dataset(files)
        known = f", the published list {split.name}" if split.published else ""
        tell(f"{len(files)} {kind} images{known}")
        if len(files) != expected:
            warnings.append(f"{len(files)} {kind} images, but {expected} were published.")
    for what, (found, expected) in source.further_counts(root).items():
        tell(f"{found} {what}")
        if found != expected:
            warnings.append(f"{found} {what}, but {expected} were published.")
    labels = source.image_labels(root)
    if labels is not None and labels.is_file():
        tell(f"The classes of each image, for PseudoSeg: data.image_labels={labels}")
    return data, warnings


def _fetch(source: type[PublishedDataset], root: Path, tell: Callable[[str], None]) -> None:
    if not source.ARCHIVES:
        raise UserError(
            f"{source.KEY} cannot be downloaded by a program. Download it from {source.HOME} and "
            f"unpack it into {root}."
        )
    for archive in source.ARCHIVES:
        file = root / archive.url.rpartition("/")[2]
        # Lists the unpacked files, so that a file that was deleted since is fetched again.
        done = root / f".{file.name}.unpacked"
        if done.is_file() and all((root / name).exists() for name in done.read_text().split("\n")):
            continue
        tell(f"Downloading {archive.url}")
        download(archive.url, file, archive.md5)
        tell(f"Unpacking {file.name}")
        atomic.write_text(done, "\n".join(unpack(file, root)))
