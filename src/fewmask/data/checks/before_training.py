"""Reads the files before training, so that nothing can fail in the middle."""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fewmask.batch import Dataset
from fewmask.data.cache import cache_folder
from fewmask.data.dataset import Data
from fewmask.data.files import Files, Paths
from fewmask.data.images import looks_whole, read_image
from fewmask.data.pool.name_index import PoolNames
from fewmask.errors import UserError

SILENT_FILES = 2000
"""With more files than this, the check says that it is at work."""


POOL_SAMPLE = 2000
"""About so many files of a pool are looked at; a damaged one is passed over while training."""
FIRST_OF_SHARDS = 16
MOST_DAMAGED = 0.1
"""With a larger share of a pool's images damaged, something else is wrong."""


def check_data(data: Data, needs_unlabeled: bool, tell: Callable[[str], None]) -> None:
    """Reads labeled and validation images and their masks, and looks at the unlabeled images.

    Of an unlabeled file only the head and the end are read, unless they look damaged: 118,000 files
    take seconds. What has been checked once is not read again until a file changes.

    Args:
        data: what a source opened.
        needs_unlabeled: whether the method uses unlabeled images.
        tell: says what was decided on the user's behalf.

    Raises:
        UserError: for the first file or set that is wrong.
    """
    for note in data.notes:
        tell(note)
    for part, dataset in (("labeled", data.labeled), ("val", data.val)):
        if len(dataset) == 0:
            raise UserError(f"There are no {part} images. Set data.{part}.")
    if needs_unlabeled and len(data.unlabeled) == 0:
        raise UserError(
            "There are no unlabeled images: every image has a mask. Add images without masks, "
            "count fewer as labeled (data.labeled=N), or train with method=supervised."
        )
    if isinstance(data.val, Files):
        for part in ("labeled", "unlabeled"):
            files = getattr(data, part)
            if isinstance(files, Files):
                _no_leak(part, files, data.val)
    with ThreadPoolExecutor() as pool:  # Pillow decodes without the interpreter lock
        for dataset in (data.labeled, data.val):
            _once(dataset, _check_pair, range(len(dataset)), pool, tell, with_masks=True)
        if needs_unlabeled and isinstance(data.unlabeled.names, PoolNames):
            _check_some(data.unlabeled, pool, tell)
        elif needs_unlabeled:
            _once(
                data.unlabeled,
                _check_image,
                range(len(data.unlabeled)),
                pool,
                tell,
                with_masks=False,
            )


def _sample(pool: Dataset) -> range:
    """The images of a pool to look at: of files some everywhere, of shards the first ones."""
    if not isinstance(pool, Files):
        return range(min(FIRST_OF_SHARDS, len(pool)))
    return range(0, len(pool), -(-len(pool) // POOL_SAMPLE))


def _check_some(images: Dataset, pool: ThreadPoolExecutor, tell: Callable[[str], None]) -> None:
    """Looks at some images of a pool; a few that cannot be read are no reason to stop."""

    def error_of(index: int) -> UserError | None:
        try:
            _check_image(images, index)
        except UserError as error:
            return error
        return None

    sample = _sample(images)
    errors = [error for error in pool.map(error_of, sample) if error is not None]
    if len(errors) > MOST_DAMAGED * len(sample):
        raise errors[0]
    if errors:
        tell(
            f"{len(errors)} of {len(sample)} images of the pool looked at cannot be read; "
            f"such images are passed over. The first: {errors[0]}"
        )


def _once(
    dataset: Dataset,
    check: Callable[[Dataset, int], None],
    indices: Iterable[int],
    pool: ThreadPoolExecutor,
    tell: Callable[[str], None],
    with_masks: bool,
) -> None:
    """Checks every image of a set, unless the same files have passed before."""
    mark = _mark(dataset, with_masks) if isinstance(dataset, Files) else None
    if mark is not None and mark.is_file():
        return
    if mark is not None and len(dataset) > SILENT_FILES:
        tell(f"Checking {len(dataset)} files, once until they change ...")
    list(pool.map(lambda index: check(dataset, index), indices))
    if mark is not None:
        try:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        except OSError:
            pass  # a read-only home: checked again next time


def _mark(dataset: Files, with_masks: bool) -> Path | None:
    """The empty file that says: these files, at these sizes and times, are sound."""
    digest = hashlib.sha256(repr((dataset.labels, dataset.channels, with_masks)).encode())
    files = [*dataset.images, *(dataset.masks if with_masks else ())]
    for file in files:
        assert file is not None
        try:
            status = os.stat(file)
        except OSError:
            return None  # the check itself says what is wrong
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return cache_folder() / "checked" / digest.hexdigest()


def _no_leak(part: str, training: Files, val: Files) -> None:
    theirs = {os.path.realpath(file) for file in val.images}
    if isinstance(training.names, PoolNames):
        both = {file for file in theirs if _is_in_pool(file, training)}
    else:
        both = theirs & {os.path.realpath(file) for file in training.images}
    if both:
        raise UserError(
            f"{len(both)} {part} image(s) are also in val (first: {Path(min(both)).name}). Scores "
            "on images that were trained on say nothing; take them out of one of the lists."
        )


def _is_in_pool(file: str, pool: Files) -> bool:
    """Whether a pool names a file, by its path from the pool's folder or from the root."""
    assert isinstance(pool.images, Paths)
    return file in pool.names or os.path.relpath(file, pool.images.folder.resolve()) in pool.names


def _check_pair(dataset: Dataset, index: int) -> None:
    """An image and its mask have one size, and the mask's labels are classes."""
    mask = dataset.mask(index)
    if isinstance(dataset, Files):
        height, width = read_image(dataset.images[index], dataset.channels).shape[:2]
        if mask.shape != (height, width):
            raise UserError(
                f"Mask {dataset.masks[index]} is {mask.shape[1]}x{mask.shape[0]} pixels, its image "
                f"{dataset.images[index].name} is {width}x{height} (width x height). Export the "
                "mask at the image's size."
            )
    else:
        image = dataset.image(index)
        if mask.shape != image.shape[:2]:
            raise UserError(
                f"Mask {dataset.names[index]} has the shape {mask.shape}, its image "
                f"{image.shape[:2]}; the data source must give both at one size."
            )


def _check_image(dataset: Dataset, index: int) -> None:
    """An unlabeled image can be read."""
    if isinstance(dataset, Files) and dataset.channels == 3 and looks_whole(dataset.images[index]):
        return
    dataset.image(index)
