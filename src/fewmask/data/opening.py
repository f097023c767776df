"""Opens a data source and applies the options that every source has, each exactly once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fewmask.data.cache import DecodedFolder
from fewmask.data.checks.before_training import check_data
from fewmask.data.dataset import Dataset
from fewmask.data.image_labels import read_image_labels
from fewmask.data.memory import Memory
from fewmask.data.pool.opening import open_pool
from fewmask.data.read_options import ReadOptions
from fewmask.data.source import SUBSETS, Data, DataSource
from fewmask.data.value_range import find_range
from fewmask.errors import UserError


def open_data(
    source: DataSource,
    channels: int = 3,
    needs_unlabeled: bool = True,
    tell: Callable[[str], None] = print,
) -> Data:
    """Opens a data source, applies its common options, and checks every file.

    A source lists images and need not look at `long_side`, `in_memory`, `cache`, `pool` or
    `image_labels`: they are applied here, to built-in sources and to your own alike.

    Args:
        source: ready to open. It is opened once.
        channels: bands of an image, `model.in_channels`.
        needs_unlabeled: whether the method uses unlabeled images. If not, `data.pool` and
            `data.image_labels` are not opened.
        tell: receives what was decided on the user's behalf, and what takes a while.

    Raises:
        UserError: for the first file or data set that is wrong.

    Example:
        data = open_data(Synthetic(Synthetic.Config(name="synthetic", long_side=64)))
        data.labeled.image(0).shape  # (64, 64, 3)
    """
    config = source.config
    data = source.open()
    _require_datasets(data, config.name)
    # One memory for all sets: with data.unlabeled=all, two of them share images.
    memory = Memory() if config.in_memory else None
    decoded = None if config.cache is None else DecodedFolder(config.cache)
    data = _with_range(data, config, channels)
    options = ReadOptions(channels, config.long_side, memory, decoded, data.value_range)
    # The source's own unlabeled images too, for `Data.without_pool`.
    data = _as_read(data, options)
    if needs_unlabeled and config.pool is not None:
        data = _with_pool(data, config, options, tell)
    if needs_unlabeled and config.image_labels is not None:
        data = _with_image_labels(data, config.image_labels)
    check_data(data, needs_unlabeled, tell)
    return data


def _require_datasets(data: Data, name: str) -> None:
    for subset in SUBSETS:
        if not isinstance(getattr(data, subset), Dataset):
            raise UserError(
                f"data.name={name}: its {subset} images are a "
                f"{type(getattr(data, subset)).__name__}, which is not a data set. Derive "
                "the class from fewmask.data.Dataset."
            )


def _with_range(data: Data, config: DataSource.Config, channels: int) -> Data:
    """The data with the range of values of its images; found in the labeled ones, if not given."""
    if config.range != "auto":
        return replace(data, value_range=config.range)
    files = (data.labeled.file(index) for index in range(len(data.labeled)))
    found = find_range([file for file in files if file is not None], channels)
    if found is None:
        return data
    low, high = found
    note = (
        f"The images have more than 8 bits: values from {low:g} to {high:g} become 0 to 255. "
        f"Another range: data.range='[{low:g}, {high:g}]'."
    )
    return replace(data, value_range=found, notes=(*data.notes, note))


def _as_read(data: Data, options: ReadOptions) -> Data:
    sets = {subset: getattr(data, subset).as_read(options) for subset in SUBSETS}
    notes = data.notes
    if options.decoded is not None and not any(dataset.is_cached for dataset in sets.values()):
        notes = (*notes, "data.cache is not used: the images of this data source are not files.")
    return replace(data, notes=notes, **sets)


def _with_image_labels(data: Data, file: Path) -> Data:
    """The data with image-level labels of the unlabeled images, and of those labeled ones named."""
    unlabeled, labeled = data.unlabeled.names, data.labeled.names
    table, needed = data.labeled.label_table(), len(unlabeled)
    present = read_image_labels(file, [*unlabeled, *labeled], data.classes, table, needed)
    return replace(data, image_labels=present[:needed], labeled_shows=present[needed:])


def _with_pool(
    data: Data, config: DataSource.Config, options: ReadOptions, tell: Callable[[str], None]
) -> Data:
    """The data with the images of `data.pool` as the unlabeled ones."""
    assert config.pool is not None
    pool = open_pool(config.pool, config.pool_disk_gb, tell)
    note = f"data.pool: {pool.contents}"
    if replaced := len(data.unlabeled):
        note += f", in place of the {replaced} that data.name={config.name} has of its own"
    return data.with_pool(pool.as_read(options), f"{note}.")
