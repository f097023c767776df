"""A run that the tests of the commands share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.program import TINY_PHOTOS, fewmask


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A short iMAS run on photos of two sizes, shared by all tests of this folder."""
    rng = np.random.default_rng(0)
    photos = tmp_path_factory.mktemp("cli") / "photos"
    for kind in ("images", "masks"):
        (photos / kind).mkdir(parents=True)
    for i in range(9):
        height, width = (40, 60) if i % 2 else (50, 50)
        image = rng.integers(0, 255, (height, width, 3)).astype(np.uint8)
        Image.fromarray(image).save(photos / "images" / f"p{i}.jpg")
        if i < 5:
            mask = np.tile(np.arange(width) > 20, (height, 1)).astype(np.uint8)
            Image.fromarray(mask).save(photos / "masks" / f"p{i}.png")
    text = fewmask("train", f"data={photos}", "method=imas", *TINY_PHOTOS, cwd=photos.parent)
    assert "held out" in text and "Done." in text
    return photos.parent / "runs" / "folder-imas-001"
