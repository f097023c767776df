"""Opens a pool: unlabeled images by the million, from files or tar shards, in constant memory."""

import glob
import os
from collections.abc import Callable
from pathlib import Path

from fewmask.data.cache import cache_folder
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.data.pool.downloads import Downloads
from fewmask.data.pool.file_pool import FilePool
from fewmask.data.pool.listing import list_pool
from fewmask.data.pool.shard_files import is_remote, list_shards
from fewmask.data.pool.shard_sizes import shard_sizes
from fewmask.data.pool.shards import ShardPool
from fewmask.errors import UserError

Pool = FilePool | ShardPool


def open_pool(place: str, disk_gb: float, tell: Callable[[str], None]) -> Pool:
    """Opens a pool of unlabeled images.

    Args:
        place: a folder of images or of shards, a `.txt` list of images, or shards by path or URL,
            with `*` or a range such as `{000..127}`.
        disk_gb: disk space in GB for copies of shards behind URLs.
        tell: receives a message before anything that takes a while.

    Raises:
        UserError: if there is no such place, or no image in it.
    """
    # Shards are taken if there are any, so images next to them would silently be ignored.
    if Path(place).is_dir() and (shards := glob.glob(f"{glob.escape(place)}/*.tar")):
        if any(entry.name.lower().endswith(IMAGE_SUFFIXES) for entry in os.scandir(place)):
            raise UserError(
                f"data.pool={place} holds both images and shards (*.tar). Give them a folder each."
            )
        return _open_shards(sorted(shards), disk_gb, tell)
    if place.endswith(".tar"):
        return _open_shards(list_shards(place), disk_gb, tell)
    if is_remote(place):
        raise UserError(f"data.pool={place}: a pool behind a URL must be tar shards (*.tar).")
    folder = Path(place) if Path(place).is_dir() else Path(place).parent
    return FilePool(folder, list_pool(Path(place), tell))


def _open_shards(urls: list[str], disk_gb: float, tell: Callable[[str], None]) -> ShardPool:
    downloads = Downloads(cache_folder() / "shards", int(disk_gb * 1e9))
    sizes = shard_sizes(urls, downloads, cache_folder() / "shard_sizes", tell)
    if sizes.sum() == 0:
        raise UserError(f"The {len(urls)} shard(s) of data.pool hold no images.")
    return ShardPool(urls, sizes, downloads)
