"""Photos that an export is about."""

import pytest
from PIL import Image

from fewmask.data.annotations.photos import Photos, upright_size
from fewmask.errors import UserError
from tests.data.exports import photos


def test_photos_of_one_name_are_told_apart_by_their_folders(tmp_path):
    folder = photos(tmp_path, "x.jpg", "train/x.jpg", "val/x.jpg", "val/y.v2.jpg", "old/val/z.jpg")
    found = Photos(folder, tmp_path / "masks")
    assert found.find("x") == "x"
    assert found.find("val/x") == found.find("C/photos/val/x") == "val/x"
    assert found.find("y.v2") == "val/y.v2"
    assert found.find("new/z") == "old/val/z"
    with pytest.raises(UserError, match="'test/x' may be .* or .* --images FOLDER that holds only"):
        found.find("test/x")
    with pytest.raises(UserError, match="no photo of the name 'y' in .* --images FOLDER"):
        found.find("y")


def test_masks_that_lie_below_the_photos_are_none(tmp_path):
    photos(tmp_path, "images/x.png", "masks/x.png")
    assert Photos(tmp_path, tmp_path / "masks").find("x") == "images/x"
    assert Photos(tmp_path / "images", tmp_path / "images").find("x") == "x"
    with pytest.raises(UserError, match="There is no folder .*nowhere"):
        Photos(tmp_path / "nowhere", tmp_path).find("x")


def test_names_in_two_unicode_forms_and_without_blanks_are_one(tmp_path):
    found = Photos(photos(tmp_path, "Gru\u0308n 1/Ba\u0308r (2).jpg"), tmp_path / "masks")
    assert (
        found.find("Gr\u00fcn 1/B\u00e4r (2)")
        == found.find("B\u00e4r_2")
        == "Gru\u0308n 1/Ba\u0308r (2)"
    )


def test_sizes_are_those_of_the_upright_photo(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=turned)
    assert Photos(tmp_path, tmp_path / "masks").size("turned") == (4, 8)
    Image.new("L", (8, 4)).save(tmp_path / "plain.png")
    assert upright_size(tmp_path / "plain.png") == (8, 4)
    (tmp_path / "broken.jpg").write_text("no picture")
    with pytest.raises(UserError, match="Cannot read the size of image .*broken.jpg"):
        upright_size(tmp_path / "broken.jpg")
