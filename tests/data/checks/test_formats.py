"""Findings about how images are stored."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.data.images import read_image
from fewmask.errors import UserError
from fewmask.tasks import check as checking
from tests.data.checks.photos import said


def write_bands(file, image):
    tifffile.imwrite(file, image, photometric="minisblack", planarconfig="contig")


def test_16_bit_photos_that_come_out_dark(clean):
    assert "almost black" not in said(clean)
    for i, most in ((0, 4095), (1, 65535), (2, 255)):
        file = clean / "images" / f"p{i:02d}.png"
        values = np.random.default_rng(i).integers(0, most, (30, 40)).astype(np.uint16)
        values[0, 0] = most
        Image.fromarray(values).save(file)
    words = said(clean)
    assert "2 image(s) hold 16-bit numbers, but none above 4095" in words
    assert "multiply by 16" in words and "p00.png" in words


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
