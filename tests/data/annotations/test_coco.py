"""Objects of COCO."""

import json

import numpy as np
import pytest

from fewmask.data.annotations.coco import read, run_lengths
from fewmask.data.annotations.source import Source
from fewmask.errors import UserError
from tests.data.exports import drawn
from tests.program import fewmask


def test_parts_of_a_coco_object_add_up_and_empty_ones_are_told(tmp_path):
    outer, inner = [1, 1, 9, 1, 9, 9, 1, 9], [3, 3, 6, 3, 6, 6, 3, 6]
    images = [{"id": 1, "file_name": "a.jpg", "width": 12, "height": 12}]
    objects = [
        {"image_id": 1, "category_id": 1, "segmentation": [outer, inner, [1, 2, 3, 4]]},
        {"image_id": 1, "category_id": 1, "segmentation": [], "bbox": [1, 1, 2, 2]},
    ]
    classes = [{"id": 1, "name": "car, red"}]
    text = json.dumps({"images": images, "annotations": objects, "categories": classes})
    mask, found = drawn(tmp_path, "c.json", text)
    assert mask[4, 4] == 1 and mask[2, 2] == 1 and mask.sum() == 64
    assert found.left_out == {"empty polygon": 1, "box without an outline": 1}
    said = fewmask("import", tmp_path / "c.json", "--out", tmp_path / "other")
    assert "names: [background, 'car, red']" in said and "1 box without an outline" in said


def test_run_lengths_are_those_of_coco():
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for share in (0.0, 0.02, 0.5, 1.0):
        pixels = rng.random((37, 53)) < share
        compressed = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))
        one = {"size": [37, 53], "counts": compressed["counts"].decode()}
        assert np.array_equal(run_lengths(one), pixels)
    assert run_lengths({"size": [2, 3], "counts": [1, 2, 3]}).tolist() == [
        [False, True, False],
        [True, False, False],
    ]
    with pytest.raises(ValueError, match="do not fill 6 pixels"):
        run_lengths({"size": [2, 3], "counts": [1, 2]})


def test_objects_in_run_lengths_are_drawn(tmp_path):
    runs = {"size": [4, 4], "counts": [4, 4, 8]}
    content = one_object({"segmentation": runs, "iscrowd": 1})
    assert drawn(tmp_path, "c.json", json.dumps(content))[0].T.tolist()[1] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"image_id": 7}, "annotation 5 belongs to image 7, which `images` does not list"),
        ({"category_id": 8}, "annotation 5 has category 8, which `categories` does not list"),
        ({"segmentation": {"size": [9, 4], "counts": [36]}}, "annotation 5 has run lengths for"),
        ({"segmentation": [[0, float("nan"), 2, 0, 2, 2]]}, "is not a number"),
    ],
)
def test_what_the_file_does_not_list_is_named(change, says, tmp_path):
    with pytest.raises(UserError, match=says):
        drawn(tmp_path, "c.json", json.dumps(one_object(change)))


def one_object(change):
    thing = {"id": 5, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2]]}
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 4}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [{**thing, **change}],
    }


@pytest.mark.parametrize("key", ["images", "categories"])
def test_two_files_that_were_joined_are_refused(key, tmp_path):
    content = one_object({})
    content[key] = content[key] * 2
    with pytest.raises(UserError, match=f"`{key}` has the id 1 twice"):
        drawn(tmp_path, "c.json", json.dumps(content))


def test_objects_that_cover_no_pixel_are_told(tmp_path):
    content = one_object({"segmentation": [[0.1, 0.1, 0.4, 0.1, 0.4, 0.4]]})  # not in pixels
    found = drawn(tmp_path, "c.json", json.dumps(content))[1]
    assert found.outside == ["a in a"]
    assert any("1 object(s) cover no pixel" in line for line in found.in_words(tmp_path))


def test_paths_of_windows_keep_their_name_alone(tmp_path):
    content = one_object({})
    content["images"][0]["file_name"] = "C:\\photos\\a.jpg"
    drawn(tmp_path, "c.json", json.dumps(content))
    assert [*(tmp_path / "m").rglob("*.png")] == [tmp_path / "m" / "a.png"]


def test_an_object_keeps_its_own_pixels_only(tmp_path):
    """A large photo with a thousand small objects would not fit into memory."""
    counts = [5 * 100 + 7, 2, 98, 2, 100 * 100 - 5 * 100 - 7 - 102]
    content = {
        "images": [{"id": 1, "file_name": "x.png", "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [100, 100], "counts": runs}}
            for runs in (counts, [100 * 100])
        ],
    }
    (tmp_path / "x.json").write_text(json.dumps(content))
    (one,) = read(Source(tmp_path / "x.json", None, tmp_path)).annotations
    assert [(s.corner, s.pixels.shape) for s in one.shapes] == [((5, 7), (2, 2)), ((0, 0), (0, 0))]
    assert one.shapes[0].pixels.base is None  # not a view of the whole image
