"""Annotations drawn as masks."""

import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.annotation import Shape, annotation, box, pixel_shape
from fewmask.data.annotations.drawing import draw_mask, inside
from fewmask.data.annotations.importing import import_masks


def test_pixels_beyond_the_image_are_cut_off():
    one = annotation("a.png", 4, 3, [pixel_shape("a", np.ones((3, 3), bool), (2, 1))])
    assert draw_mask(one, ["background", "a"]).labels.tolist() == [
        [0] * 4,
        [0, 0, 1, 1],
        [0, 0, 1, 1],
    ]
    corner = np.zeros((3, 3), bool)
    corner[2, 2] = True
    one = annotation("a.png", 4, 3, [pixel_shape("a", corner, (-1, -2))])
    assert np.argwhere(draw_mask(one, ["background", "a"]).labels).tolist() == [[0, 1]]


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
    assert (mask == 2).sum() == 9 and (mask[1:4, 1:4] == 2).all()
    assert mask[14, 11] == 1 and mask[10, 10] == 0
    (tmp_path / "y.xml").write_text(
        '<annotations><image name="y.png" width="9" height="9">'
        '<box label="r" xtl="1" ytl="2" xbr="3" ybr="4"/></image></annotations>'
    )
    import_masks(tmp_path / "y.xml", tmp_path / "m")
    boxed = np.asarray(Image.open(tmp_path / "m" / "y.png"))
    assert (boxed == 2).sum() == 4 and (boxed[2:4, 1:3] == 2).all()  # r is 2 there already


def random_polygon(rng, size):
    """Nine corners at random distances round a center."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radii = rng.uniform(0.3, 1, 9)[:, None] * size
    return 25 + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.mark.parametrize(("size", "least"), [(5, 0.95), (10, 0.97), (20, 0.985)])
def test_outlines_cover_the_pixels_that_coco_draws(size, least):
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(size)
    ours = theirs = both = 0
    for _ in range(100):
        outline = random_polygon(rng, size)
        mine = inside(outline, 50, 50)
        (encoded,) = coco.frPyObjects([outline.ravel().tolist()], 50, 50)
        coco_mask = coco.decode(encoded).astype(bool)
        ours, theirs = ours + mine.sum(), theirs + coco_mask.sum()
        both += (mine & coco_mask).sum()
    assert both / (ours + theirs - both) > least
    assert abs(ours / theirs - 1) < 0.01


def test_corners_on_whole_pixels_count_each_pixel_once():
    square = np.array([(10, 10), (20, 10), (20, 20), (10, 20)], float)
    assert inside(square, 30, 30).sum() == 100 and inside(square, 30, 30)[10:20, 10:20].all()
    beside = square + (10, 0)
    assert not (inside(square, 30, 40) & inside(beside, 30, 40)).any()
    assert inside(square - 15, 30, 30).sum() == 25  # cut off at the border of the image
    crossed = np.array([(0, 0), (10, 10), (10, 0), (0, 10)], float)
    assert inside(crossed, 10, 10)[5, 0] and not inside(crossed, 10, 10)[0, 5]


def test_what_cannot_be_seen_is_told():
    small, large = (Shape(n, box(2, 2, e, e)) for n, e in (("small", 4), ("large", 8)))
    nothing = Shape("speck", box(0.6, 0.6, 0.9, 0.9))
    labels, hidden, outside = draw_mask(
        annotation("x.png", 9, 9, [small, nothing, large]),
        ["background", "small", "large", "speck"],
    )
    assert hidden == ["small"] and outside == ["speck"]
    assert {*np.unique(labels)} == {0, 2}


def test_outlines_far_beyond_the_image_cover_nothing():
    far = np.array([(1e300, 1e300), (2e300, 1e300), (2e300, 2e300)])
    assert not inside(far, 10, 10).any() and not inside(-far, 10, 10).any()
