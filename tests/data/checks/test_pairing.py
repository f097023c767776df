"""Findings about which image has which mask."""

import shutil

import pytest
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.data.checks.photos import said


def test_masks_without_an_image(clean):
    (clean / "masks" / "p05.png").rename(clean / "masks" / "p05_mask.png")
    assert "1 mask(s) belong to no image. (p05_mask.png may belong to an image named p05.)" in said(
        clean
    )


def test_few_or_no_masks(clean):
    for i in range(3, 12):
        (clean / "masks" / f"p{i:02d}.png").unlink()
    assert "Only 3 image(s) to train on have a mask" in said(clean)
    for mask in (clean / "masks").iterdir():
        mask.unlink()
    assert "No image has a mask" in said(clean)
    shutil.rmtree(clean / "masks")
    with pytest.raises(UserError, match="There is no folder .*masks"):
        said(clean)


def test_two_images_of_one_stem(clean):
    Image.open(clean / "images" / "p01.png").save(clean / "images" / "p01.jpg")
    words = said(clean)
    assert "error: 2 images have one stem and share one mask: p01.png" in words
    with pytest.raises(UserError, match="Two images in .* are called 'p01'"):
        open_data(recipe_from_words([f"data={clean}", "method=imas"]))
