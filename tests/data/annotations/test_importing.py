"""Masks from the exports of labeling tools."""

import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.importing import import_masks
from fewmask.errors import UserError
from tests.data.exports import coco, cvat, drawn, labelme
from tests.program import fewmask


@pytest.mark.parametrize("export", [labelme, coco, cvat])
def test_all_tools_give_the_same_masks(export, tmp_path):
    classes, drawn, _ = import_masks(export(tmp_path / "in"), tmp_path / "masks")
    assert classes == ["background", "car", "house"] and drawn == {"a": 2, "b": 0}
    mask = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    assert mask.shape == (10, 12) and mask.dtype == np.uint8
    assert mask[3, 3] == 2 and mask[6, 6] == 1 and mask[0, 0] == 0  # later over earlier
    assert (np.asarray(Image.open(tmp_path / "masks" / "b.png")) == 0).all()


def test_names_give_the_order_and_must_be_complete(tmp_path):
    export = coco(tmp_path / "in")
    classes, *_ = import_masks(export, tmp_path / "masks", ["house", "car"])
    assert classes == ["background", "house", "car"]
    assert np.asarray(Image.open(tmp_path / "masks" / "a.png"))[3, 3] == 1
    with pytest.raises(UserError, match="objects called 'car', which --names leaves out"):
        import_masks(export, tmp_path / "masks", ["house"])


def test_the_command(tmp_path):
    text = fewmask("import", labelme(tmp_path / "in"), "--out", tmp_path / "masks")
    assert (
        "2 mask(s) with 2 object(s)" in text
        and "1 image(s) have no object and are all background (first: b)" in text
    )
    assert "names: [background, car, house]" in text


def test_masks_that_are_there_are_kept(tmp_path):
    text = json.dumps({"imageWidth": 4, "imageHeight": 4, "shapes": []})
    drawn(tmp_path, "x.json", text)
    with pytest.raises(UserError, match=r"1 of these masks are in .* already.*--overwrite"):
        drawn(tmp_path, "x.json", text)
    drawn(tmp_path, "x.json", text, overwrite=True)
