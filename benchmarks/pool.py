"""A pool of millions of names: opening it, drawing from it, and reading files or tar shards."""

import io
import multiprocessing
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from benchmarks.record import Figure, figures
from fewmask.data import Dataset
from fewmask.data.order import shuffled
from fewmask.data.pool.opening import open_pool

DRAWS = 20_000
SIDE = (500, 375)
IMAGES, SHARDS = 4096, 16
STEP = 7_777_777  # an odd stride, so that the names in the list are not sorted


def measure(
    names: Annotated[int, typer.Option(help="Names in the list.")] = 10_000_000,
    rounds: Annotated[int, typer.Option(help="Passes over files and shards, in turn.")] = 5,
) -> Iterator[list[Figure]]:
    """Open a list of names, draw from it, and read images from files and from shards."""
    with tempfile.TemporaryDirectory(prefix="pool-") as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        yield from _names(folder / "list.txt", names)
        yield _reading(folder, rounds)


def _names(file: Path, count: int) -> Iterator[list[Figure]]:
    with file.open("w") as lines:
        lines.writelines(f"photos/{i * STEP % count:08}.jpg\n" for i in range(count))
    for again in ("first time", "again, unchanged"):
        start, before = time.perf_counter(), _own_mib()
        pool = _open(file)
        opening = (time.perf_counter() - start, "s")
        memory = (_own_mib() - before, "MiB")
        yield figures(f"{count:,} names, {again}", opening=opening, further_memory=memory)
    with multiprocessing.get_context("fork").Pool(1) as workers:
        first, each, mib = workers.apply(_draw, (pool,))
    yield figures(
        "names drawn in a worker",
        first_name_of_an_epoch=(1e3 * first, "ms"),
        each_name=(1e6 * each, "us"),
        **{f"memory after {DRAWS:,} names": (mib, "MiB")},
    )


def _draw(pool: Dataset) -> tuple[float, float, float]:
    """Seconds to the first name of an epoch, seconds per name, MiB of memory that they took."""
    before, start = _own_mib(), time.perf_counter()
    assert pool.names[shuffled(0, len(pool), (0, 1, 0))]
    first, draws = time.perf_counter() - start, min(DRAWS, len(pool))
    for place in range(draws):
        assert pool.names[shuffled(place, len(pool), (0, 1, 0))]
    return first, (time.perf_counter() - start) / draws, _own_mib() - before


def _own_mib() -> float:
    """Memory of this process alone; pages of mapped files do not count."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kib = sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))
    return kib / 1024


def _reading(folder: Path, rounds: int) -> list[Figure]:
    _write_images(folder)
    files, shards = _open(folder / "files"), _open(folder / "shards")
    pairs = [(_read(files), _read(shards)) for _ in range(rounds + 1)][1:]
    a, b = (median(column) for column in zip(*pairs, strict=True))
    return figures(
        f"an image of {SIDE[0]} x {SIDE[1]}, read and decoded",
        from_a_file=(1000 * a, "ms"),
        from_a_tar_shard=(1000 * b, "ms"),
    )


def _write_images(folder: Path) -> None:
    """Writes the same JPEG many times, as files and as members of tar shards."""
    coarse = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(coarse).resize(SIDE).save(content, "JPEG", quality=92)
    (folder / "files").mkdir()
    (folder / "shards").mkdir()
    for shard in range(SHARDS):
        with tarfile.open(folder / "shards" / f"{shard:03}.tar", "w") as tar:
            for i in range(IMAGES // SHARDS):
                name = f"{shard:03}-{i:05}.jpg"
                (folder / "files" / name).write_bytes(content.getvalue())
                member = tarfile.TarInfo(name)
                member.size = len(content.getvalue())
                tar.addfile(member, io.BytesIO(content.getvalue()))


def _read(pool: Dataset) -> float:
    """Seconds per image, over every 16th image."""
    start = time.perf_counter()
    chosen = range(0, IMAGES, 16)
    for i in chosen:
        pool.image(i)
    return (time.perf_counter() - start) / len(chosen)


def _open(place: Path) -> Dataset:
    return open_pool(str(place), disk_gb=1.0, tell=lambda note: None)
