"""Annotations drawn as masks."""

import json

import numpy as np
from PIL import Image

from fewmask.data.annotations.annotation import annotation, pixel_shape
from fewmask.data.annotations.drawing import draw_mask
from fewmask.data.annotations.importing import import_masks


def test_pixels_beyond_the_image_are_cut_off():
    one = annotation("a.png", 4, 3, [pixel_shape("a", np.ones((3, 3), bool), (2, 1))])
    assert draw_mask(one, ["background", "a"]).tolist() == [[0] * 4, [0, 0, 1, 1], [0, 0, 1, 1]]


def test_rectangles_circles_and_boxes(tmp_path):
    shapes = [
        {"label": "r", "points": [[1, 1], [4, 4]], "shape_type": "rectangle"},
        {"label": "c", "points": [[14, 14], [14, 18]], "shape_type": "circle"},
        {"label": "p", "points": [[9, 9]], "shape_type": "point"},
    ]
    content = {"imageWidth": 20, "imageHeight": 20, "shapes": shapes}
    (tmp_path / "x.json").write_text(json.dumps(content))
    import_masks(tmp_path / "x.json", tmp_path / "m")
    mask = np.asarray(Image.open(tmp_path / "m" / "x.png"))
    assert (mask[1:5, 1:5] == 2).all() and mask[14, 11] == 1 and mask[10, 10] == 0
    (tmp_path / "y.xml").write_text(
        '<annotations><image name="y.png" width="9" height="9">'
        '<box label="r" xtl="1" ytl="2" xbr="3" ybr="4"/></image></annotations>'
    )
    import_masks(tmp_path / "y.xml", tmp_path / "m")
    assert (np.asarray(Image.open(tmp_path / "m" / "y.png"))[2:5, 1:4] == 1).all()
