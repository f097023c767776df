"""What all formats share."""

import json

import numpy as np
import pytest

from fewmask.data.annotations.annotation import box, ellipse, rotate
from fewmask.errors import UserError
from tests.data.exports import drawn


def test_outlines_of_boxes_and_ellipses():
    corners = box(1, 2, 5, 4)
    assert corners.tolist() == [[1, 2], [5, 2], [5, 4], [1, 4]]
    assert np.allclose(rotate(corners, 90), [[4, 1], [4, 5], [2, 5], [2, 1]])
    assert np.allclose(ellipse(np.array([3, 3]), 2, 1).max(axis=0), [5, 4])


@pytest.mark.parametrize("name", ["../../evil.jpg", "..", ""])
def test_no_mask_is_written_outside_the_folder(name, tmp_path):
    image = {"id": 1, "file_name": name, "width": 4, "height": 4}
    text = json.dumps({"images": [image], "annotations": [], "categories": []})
    with pytest.raises(UserError, match="leads out of the folder"):
        drawn(tmp_path, "c.json", text)
    absolute = text.replace(json.dumps(name), '"/somewhere/else/a.jpg"')
    drawn(tmp_path, "c.json", absolute)
    assert {f.name for f in tmp_path.rglob("*.png")} == {"a.png"}


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ({"label": "a", "points": []}, "empty polygon"),
        ({"label": "a", "points": [[1, 1]], "shape_type": "circle"}, "empty circle"),
        ({"label": "a", "points": [[1, 1], [2, 2]], "shape_type": "linestrip"}, "linestrip"),
    ],
)
def test_shapes_without_pixels_are_counted(shape, kind, tmp_path):
    text = json.dumps({"imageWidth": 4, "imageHeight": 4, "shapes": [shape]})
    assert drawn(tmp_path, "x.json", text)[1].left_out == {kind: 1}
    with pytest.raises(UserError, match="is 0 x 4 pixels"):
        drawn(tmp_path, "y.json", text.replace('"imageWidth": 4', '"imageWidth": 0'))
