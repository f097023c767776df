"""Small folders of photos and masks."""

from pathlib import Path

import numpy as np
from PIL import Image


def ten_photos(tmp_path: Path) -> Path:
    """Ten photos, six with masks of two classes."""
    rng = np.random.default_rng(1)
    for kind in ("images", "masks"):
        (tmp_path / "source" / kind).mkdir(parents=True)
    for i in range(10):
        pixels = rng.integers(0, 255, (40, 50, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "source" / "images" / f"p{i}.png")
        if i < 6:
            mask = np.tile(np.arange(50) > 20, (40, 1)).astype(np.uint8)
            Image.fromarray(mask).save(tmp_path / "source" / "masks" / f"p{i}.png")
    return tmp_path / "source"
