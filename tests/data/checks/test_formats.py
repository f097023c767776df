"""Findings about how images are stored."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.data.images import read_image
from fewmask.errors import UserError
from fewmask.tasks import check as checking
from tests.data.checks.photos import NAMED, masks_of, said


def write_bands(file, image):
    tifffile.imwrite(file, image, photometric="minisblack", planarconfig="contig")


def to_tiff(root, change):
    """Saves each image as a TIFF: `change(gray, file)` writes its pages or bands."""
    for file in sorted((root / "images").iterdir()):
        gray = np.asarray(Image.open(file).convert("L"))
        change(gray, file.with_suffix(".tif"))
        file.unlink()


def test_pages_that_are_not_read(clean):
    def stack(gray, file):
        tifffile.imwrite(file, np.stack([gray, gray]), photometric="minisblack")

    assert "pages" not in said(clean)
    to_tiff(clean, stack)
    assert "16 image(s) have several pages (first: 2), of which only the first" in said(clean)


def test_bands_that_are_not_read(clean):
    def four(gray, file):
        extra = {"extrasamples": ["unspecified"], "photometric": "rgb"}
        tifffile.imwrite(file, np.dstack([gray] * 4), **extra)

    to_tiff(clean, four)
    assert "16 image(s) have 4 bands, of which 3 are read." in said(clean)
    assert "of which" not in said(clean, "model.in_channels=4")


def test_check_names_the_bands(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for i in range(3):
        write_bands(tmp_path / f"images/{i}.tif", np.full((9, 9, 5), 40 * i, np.uint8))
        Image.fromarray(np.full((9, 9), i % 2, np.uint8)).save(tmp_path / f"masks/{i}.png")
    said = checking.check(recipe_from_words([f"data={tmp_path}"])).in_words()
    assert "3 images have 5 bands" in said and "model.in_channels=5" in said
    assert (
        checking.check(recipe_from_words([f"data={tmp_path}"])).exit_code == 2
    )  # train would stop
    told = checking.check(recipe_from_words([f"data={tmp_path}", "model.in_channels=5"]))
    assert "Training would stop" not in told.in_words()
    with pytest.raises(UserError, match=r"bands other than RGB, set model.in_channels"):
        read_image(tmp_path / "images/0.tif")


def test_images_of_different_numbers_of_bands_are_one_finding(clean):
    for i, file in enumerate(sorted((clean / "images").glob("*.png"))):
        write_bands(file.with_suffix(".tif"), np.zeros((30, 40, 4 + i % 9), np.uint8))
        file.unlink()
    text = said(clean)
    assert "16 images have 4, 5, 6, 7, 8, 9 ... (9 in all) bands, which are not colors." in text
    assert text.count("not colors") == 1 and "Leave out the images with another number" in text


def test_gray_images_among_colored_ones_may_be_masks(clean):
    (clean / "images" / "drawn").mkdir()
    for file in masks_of(clean)[:3]:
        Image.open(file).save(clean / "images" / "drawn" / file.name)
    text = said(clean, NAMED)
    assert "3 unlabeled images are gray or indexed, and all labeled ones in colors." in text
