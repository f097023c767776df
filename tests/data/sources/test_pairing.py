"""Images and their masks find each other by name."""

import shutil

import numpy as np
import pytest
from PIL import Image

from fewmask.data.sources.pairing import pair
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


def test_a_list_that_names_other_masks_is_refused(tmp_path):
    for name in ("images/p0.png", "images/p1.png", "masks/p0.png", "fine/p0.png", "fine/p1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    file = tmp_path / "list.txt"
    for lines in ("images/p0.png fine/p0.png", "images\\p0.png fine\\p0.png"):
        file.write_text(lines)
        with pytest.raises(UserError, match=r"gives p0.png the mask fine/p0.png, but .*masks/p0"):
            pair(file, tmp_path / "masks")
        assert pair(file, tmp_path / "fine")[0].masks == [tmp_path / "fine/p0.png"]
    file.write_text("images/p1.png fine/p1.png")
    with pytest.raises(UserError, match="but data.masks gives it none"):
        pair(file, tmp_path / "masks")
    for line in ("images/p0.png masks/p0.png", "images/p0.png gone/p0.png", "images/p0.png"):
        file.write_text(line)
        assert pair(file, tmp_path / "masks")[0].masks == [tmp_path / "masks/p0.png"]
