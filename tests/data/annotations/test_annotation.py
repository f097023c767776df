"""What all formats share."""

import json

import numpy as np
import pytest

from fewmask.data.annotations.annotation import Shape, annotation, box, ellipse, pixel_shape, rotate
from fewmask.errors import UserError
from tests.data.exports import drawn


def test_outlines_of_boxes_and_ellipses():
    corners = box(1, 2, 5, 4)
    assert corners.tolist() == [[1, 2], [5, 2], [5, 4], [1, 4]]
    assert np.allclose(rotate(corners, 90), [[4, 1], [4, 5], [2, 5], [2, 1]])
    assert np.allclose(rotate(corners, 90, corners[0]), [[1, 2], [1, 6], [-1, 6], [-1, 2]])
    assert np.allclose(ellipse(np.array([3, 3]), 2, 1).max(axis=0), [5, 4])


def test_pixels_are_cut_out_of_the_image():
    pixels = np.zeros((50, 60), bool)
    pixels[10, 20] = pixels[12, 23] = True
    shape = pixel_shape("a", pixels, (1, 2))
    assert shape.pixels.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert shape.corner == (21, 12) and shape.pixels.base is None
    assert pixel_shape("a", np.zeros((5, 6), bool), (0, 0)).pixels.size == 0


def test_sizes_are_those_of_an_image():
    for width in (0, -1, 1e300):
        with pytest.raises(ValueError, match=r"the image 'a.jpg' is .* x 4 pixels"):
            annotation("a.jpg", width, 4, [Shape("a", box(0, 0, 2, 2))])
    assert annotation("a.jpg", 0, 0, []).width == 0  # unknown, and not needed


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
    kept = {"label": "a", "points": [[0, 0], [3, 0], [3, 3]]}
    text = json.dumps({"imageWidth": 4, "imageHeight": 4, "shapes": [shape, kept]})
    assert drawn(tmp_path, "x.json", text)[1].left_out == {kind: 1}
    with pytest.raises(UserError, match="is 0 x 4 pixels"):
        drawn(tmp_path, "y.json", text.replace('"imageWidth": 4', '"imageWidth": 0'))


@pytest.mark.parametrize(
    "name", [".ssh/keys.png", "a/.b.png", "a\nb.png", "\x1b[2J.png", "\ud800.png"]
)
def test_an_image_name_that_no_data_set_can_use_is_refused(name):
    with pytest.raises(ValueError, match="is hidden, or holds characters no list can hold"):
        annotation(name, 4, 4, [])


def test_a_corner_is_not_astronomically_far_away():
    for corner in (1e300, float("nan"), float("-inf")):
        shape = Shape("a", np.array([(0, 0), (corner, 0), (2, 2)]))
        with pytest.raises(ValueError, match="a corner of an object 'a' is not a number, or far"):
            annotation("a.png", 4, 4, [shape])


@pytest.mark.parametrize("name", ["a/" * 2000 + "b.png", "x" * 300 + ".png"])
def test_names_are_not_longer_than_file_systems_take(name):
    with pytest.raises(ValueError, match="longer than file systems take"):
        annotation(name, 4, 4, [])
