"""Images and their masks find each other by name."""

import shutil

import numpy as np
import pytest
from PIL import Image

from fewmask.errors import UserError
from tests.data.own_folder import expect, opened_folder, save_mask


def test_masks_without_an_image(photos):
    save_mask(photos, "other", np.ones((40, 60), np.uint8))
    expect(photos, "other.png", "no image")


def test_a_mask_belongs_to_one_image(photos):
    """A photo of the same name in a subfolder stays unlabeled; two in one place are refused."""
    inner = photos / "images" / "day2"
    inner.mkdir()
    shutil.copy(photos / "images" / "p1.jpg", inner / "p0.jpg")
    Image.new("RGB", (60, 40)).save(inner / "lone.jpg")
    data = opened_folder(photos)
    assert "day2/p0" in data.unlabeled.names and "day2/lone" in data.unlabeled.names
    Image.new("L", (60, 40), 1).save(photos / "masks" / "lone.png")  # directly under masks/
    data = opened_folder(photos)
    assert "day2/lone" in {*data.labeled.names, *data.val.names}
    Image.new("RGB", (60, 40)).save(photos / "images" / "p1.png")
    with pytest.raises(UserError, match="Two images .* called 'p1', but there is only one mask"):
        opened_folder(photos)
