"""Files of LabelMe."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.importing import import_masks
from fewmask.errors import UserError
from tests.data.exports import drawn


def test_labelme_keeps_folders_and_reads_its_pixel_masks(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.array([[0, 255], [255, 255]], np.uint8)).save(stream, "PNG")
    coded = base64.b64encode(stream.getvalue()).decode()
    shape = {"label": "a", "points": [[2, 1], [3, 2]], "shape_type": "mask", "mask": coded}
    (tmp_path / "in/sub").mkdir(parents=True)
    text = json.dumps({"imageWidth": 5, "imageHeight": 4, "shapes": [shape]})
    (tmp_path / "in/sub/p.json").write_text(text)
    import_masks(tmp_path / "in", tmp_path / "m")
    mask = np.asarray(Image.open(tmp_path / "m/sub/p.png"))
    assert mask[1:3, 2:4].tolist() == [[0, 1], [1, 1]] and mask.sum() == 3


@pytest.mark.parametrize("kind", ["rectangle", "rotation", None])
def test_four_corners_are_drawn_whatever_they_are_called(kind, tmp_path):
    corners = [[0, 0], [3, 0], [3, 2], [0, 2]]
    shape = {"label": " car ", "points": corners, "shape_type": kind}
    text = json.dumps({"imageWidth": 4, "imageHeight": 4, "shapes": [shape]})
    mask, found = drawn(tmp_path, "x.json", text)
    assert mask.sum() == 6 and found.classes == ["background", "car"]


def test_pixels_that_are_no_picture_are_one_message(tmp_path):
    shape = {"label": "a", "points": [[2, 1], [3, 2]], "shape_type": "mask", "mask": "AAAA"}
    text = json.dumps({"imageWidth": 5, "imageHeight": 4, "shapes": [shape]})
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(UserError, match="p.json: the pixels of an object 'a' are no picture"):
        import_masks(tmp_path / "p.json", tmp_path / "m")
