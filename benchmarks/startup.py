"""The time from a folder of many images to the first batch, before the first training step."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from benchmarks.record import Figure, figures
from fewmask.batch import Views
from fewmask.cli.words import recipe_from_words
from fewmask.data import BatchStream
from fewmask.runs.build import open_data

SIDE = (500, 375)
LABELED = 92


def measure(
    images: Annotated[int, typer.Option(help="Images in the folder; 92 have a mask.")] = 10_582,
) -> Iterator[list[Figure]]:
    """List, pair and check a folder of images, and load the first batch."""
    with tempfile.TemporaryDirectory(prefix="startup-") as name:
        folder = Path(name)
        _write_images(folder, images)
        # The user's own cache stays as it is, and the first time is a first time.
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        for again in ("first time", "again, unchanged"):
            opening, loading = _open(folder)
            yield figures(
                f"{images:,} images, {again}",
                list_and_check=(opening, "s"),
                first_batch=(loading, "s"),
            )


def _open(folder: Path) -> tuple[float, float]:
    """Seconds to open the folder, and seconds to load a batch of 8 + 8 images."""
    words = [f"data={folder}", "method=imas", "loader.crop=321", "data.names=[a, b]"]
    start = time.perf_counter()
    recipe = recipe_from_words(words)
    data = open_data(recipe)
    opened = time.perf_counter()
    BatchStream(data, recipe.loader, Views(strong=("imas",)), recipe.seed)[0]
    return opened - start, time.perf_counter() - opened


def _write_images(folder: Path, images: int) -> None:
    """Writes a few images and masks, and links the others to them."""
    rng = np.random.default_rng(0)
    for kind in ("originals", "images", "masks"):
        (folder / kind).mkdir()
    for i in range(16):
        picture = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).resize(SIDE)
        picture.save(folder / "originals" / f"{i}.jpg", quality=92)
        mask = Image.fromarray(rng.integers(0, 2, SIDE[::-1], np.uint8))
        mask.save(folder / "originals" / f"{i}.png")
    for i in range(images):
        os.link(folder / "originals" / f"{i % 16}.jpg", folder / "images" / f"{i:08}.jpg")
        if i < LABELED:
            os.link(folder / "originals" / f"{i % 16}.png", folder / "masks" / f"{i:08}.png")
