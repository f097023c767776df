"""A pool of millions of names: listing, opening, drawing from it; shards beside files."""

import io
import multiprocessing
import os
import tarfile
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from fewmask.batch import Dataset
from fewmask.data.order import shuffled
from fewmask.data.pool.opening import open_pool

DRAWS = 20_000
SIDE = (500, 375)
IMAGES = 4096


def main(
    names: Annotated[int, typer.Option(help="In the list.")] = 10_000_000,
    rounds: Annotated[int, typer.Option(help="Of reading files and shards in turn.")] = 5,
) -> None:
    """Time and memory of a list of names; images per second from files and from shards."""
    folder = Path(tempfile.mkdtemp(prefix="pool-"))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    print(f"{names} names")
    _names(folder, names)
    _reading(folder, rounds)


def _names(folder: Path, count: int) -> None:
    with (folder / "list.txt").open("w") as file:
        step = 7_777_777  # so that the list is in no order
        file.writelines(f"photos/{i * step % count:08}.jpg\n" for i in range(count))
    for what in ("first time", "again, unchanged"):
        start, before = time.perf_counter(), _own_mib()
        pool = _open(folder / "list.txt")
        seconds = time.perf_counter() - start
        print(f"{what}: {seconds:.2f} s to open, {_own_mib() - before:.0f} MiB more")
    with multiprocessing.get_context("fork").Pool(1) as workers:
        first, each, mib = workers.apply(_draw, (pool,))
    print(
        f"in a worker: {1000 * first:.2f} ms to the first name of an epoch, {1e6 * each:.1f} us a "
        f"name, {mib:.1f} MiB more after {DRAWS} names"
    )


def _draw(pool: Dataset) -> tuple[float, float, float]:
    """Seconds to the first name of an epoch, seconds a name, MiB of memory taken by them."""
    before, start = _own_mib(), time.perf_counter()
    assert pool.names[shuffled(0, len(pool), (0, 1, 0))]
    first = time.perf_counter() - start
    for place in range(min(DRAWS, len(pool))):
        assert pool.names[shuffled(place, len(pool), (0, 1, 0))]
    return first, (time.perf_counter() - start) / DRAWS, _own_mib() - before


def _own_mib() -> float:
    """Memory that no other process shares, pages of mapped files left out."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kib = sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))
    return kib / 1024


def _reading(folder: Path, rounds: int) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(coarse).resize(SIDE).save(content, "JPEG", quality=92)
    (folder / "files").mkdir()
    (folder / "shards").mkdir()
    for shard in range(16):
        with tarfile.open(folder / "shards" / f"{shard:03}.tar", "w") as tar:
            for i in range(IMAGES // 16):
                name = f"{shard:03}-{i:05}.jpg"
                (folder / "files" / name).write_bytes(content.getvalue())
                member = tarfile.TarInfo(name)
                member.size = len(content.getvalue())
                tar.addfile(member, io.BytesIO(content.getvalue()))
    files, shards = _open(folder / "files"), _open(folder / "shards")
    milliseconds = [(_read(files), _read(shards)) for _ in range(rounds + 1)][1:]
    a, b = (median(column) for column in zip(*milliseconds, strict=True))
    print(f"reading and decoding {SIDE[0]}x{SIDE[1]}: {a:.2f} ms a file, {b:.2f} ms from a shard")


def _read(pool: Dataset) -> float:
    start = time.perf_counter()
    for i in range(0, IMAGES, 16):
        pool.image(i)
    return 1000 * (time.perf_counter() - start) * 16 / IMAGES


def _open(place: Path) -> Dataset:
    return open_pool(str(place), None, 3, disk_gb=1.0, tell=lambda note: None)
