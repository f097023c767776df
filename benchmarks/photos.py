"""Synthetic photos on disk, which compress and decode about as real ones do."""

from pathlib import Path

import numpy as np
from PIL import Image

from fewmask.data import Files, LabelTable

IMAGES = 16
WIDTH, HEIGHT = 500, 375
NUM_CLASSES = 21


def write_photos(folder: Path) -> Files:
    """Writes JPEGs of smooth random pictures with noise, and a PNG mask for each."""
    rng = np.random.default_rng(0)
    images, masks = [], []
    for i in range(IMAGES):
        coarse = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        # Without noise a smooth picture would decode faster than a photo.
        noisy = np.asarray(picture, np.int16) + rng.normal(0, 6, (HEIGHT, WIDTH, 3))
        images.append(folder / f"{i}.jpg")
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(images[-1], quality=92)
        labels = rng.integers(0, NUM_CLASSES, (12, 16)).astype(np.uint8)
        masks.append(folder / f"{i}.png")
        Image.fromarray(labels).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST).save(masks[-1])
    return Files(images, masks, [str(i) for i in range(IMAGES)], LabelTable(NUM_CLASSES))
