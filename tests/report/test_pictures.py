"""Masks in the user's own values, and contact sheets."""

import numpy as np
import pytest

from fewmask.data import Classes
from fewmask.data.own_files import OwnFiles
from fewmask.report.pictures import confidence_picture, contact_sheet, mask_picture, save_whole

LABELS = np.array([[0, 1], [255, 1]], np.uint8)


def test_masks_hold_the_users_values_and_show_the_classes_colors():
    classes = Classes(["a", "b"], [[1, 2, 3], [4, 5, 6]], values=[7, 200], no_label=9)
    picture = mask_picture(LABELS, classes)
    assert np.asarray(picture).tolist() == [[7, 200], [9, 200]]
    assert np.asarray(picture.convert("RGB"))[0].tolist() == [[1, 2, 3], [4, 5, 6]]
    deep = mask_picture(LABELS, Classes("ab", values=[0, 1000]))
    assert np.asarray(deep).tolist() == [[0, 1000], [255, 1000]] and deep.mode.startswith("I;16")


def test_confidence_is_gray():
    picture = confidence_picture(np.array([[0.0, 0.5, 1.0]]))
    assert np.asarray(picture).tolist() == [[0, 128, 255]]


def test_a_sheet_has_a_row_per_image_and_a_column_per_title():
    tile = np.full((10, 20, 3), 100, np.uint8)
    sheet = contact_sheet([[tile, tile]] * 3, ["image", "prediction"], 50)
    assert sheet.size == (2 * 56 + 6, 3 * 56 + 26 + 6)
    assert sheet.getpixel((30, 50)) == (100, 100, 100)


def test_a_picture_that_cannot_be_saved_leaves_nothing(tmp_path):
    with pytest.raises(OSError):
        save_whole(mask_picture(LABELS, Classes("ab")), tmp_path / "mask.jpg", OwnFiles(tmp_path))
    assert not list(tmp_path.iterdir())
