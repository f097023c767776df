"""Findings about images that are there twice."""

import shutil

import numpy as np
from PIL import Image

from tests.data.checks.photos import said


def test_the_same_image_twice_and_in_val(clean):
    shutil.copy(clean / "images" / "p01.png", clean / "images" / "p13.png")
    shutil.copy(clean / "images" / "p02.png", clean / "val" / "images" / "p00.png")
    photo = np.asarray(Image.open(clean / "images" / "p03.png").resize((40, 30)))
    smooth = np.asarray(Image.fromarray(photo).resize((9, 8)).resize((40, 30)))
    Image.fromarray(smooth).save(clean / "images" / "p03.png")
    Image.fromarray(smooth).save(clean / "val" / "images" / "p01.jpg", quality=95)
    (clean / "val" / "images" / "p01.png").unlink()
    text = said(clean)
    assert "error: 1 val image(s) are the same files as labeled ones (p00.png = p02.png)" in text
    assert "warning: 1 unlabeled image(s) are the same files as labeled ones" in text
    assert "1 val image(s) look almost like a labeled image (p01.jpg, p03.png)" in text
