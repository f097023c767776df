"""From a folder of many images to the first batch: what a run does before its first step."""

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from fewmask.batch import Views
from fewmask.cli.words import recipe_from_words
from fewmask.data import BatchStream
from fewmask.runs.build import open_data

SIDE = (500, 375)
LABELED = 92


def main(
    images: Annotated[int, typer.Option(help="In the folder, 92 of them labeled.")] = 10_582,
) -> None:
    """Time listing, pairing, checking and the first batch; the files are links to a few."""
    folder = Path(tempfile.mkdtemp(prefix="startup-"))
    _fill(folder, images)
    print(f"{images} images of {SIDE[0]}x{SIDE[1]}")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    words = [f"data={folder}", "method=imas", "loader.crop=321", "data.names=[a, b]"]
    for what in ("first time", "again, unchanged"):
        start = time.perf_counter()
        recipe = recipe_from_words(words)
        data = open_data(recipe)
        opened = time.perf_counter()
        BatchStream(data, recipe.loader, Views(strong=("imas",)), recipe.seed)[0]
        end = time.perf_counter()
        print(
            f"{what}: {opened - start:.2f} s to list and check, {end - opened:.2f} s for the first "
            f"batch of {recipe.loader.labeled_batch} + {recipe.loader.unlabeled_batch}"
        )


def _fill(folder: Path, images: int) -> None:
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
