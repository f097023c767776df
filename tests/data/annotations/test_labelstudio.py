"""Tasks of Label Studio."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.importing import import_masks
from fewmask.data.annotations.labelstudio import image_path
from fewmask.data.annotations.labelstudio_tasks import write
from fewmask.data.annotations.objects import Labeled
from fewmask.data.own_files import OwnFiles
from fewmask.errors import UserError
from tests.data.exports import drawn, photos

BOX = {"x": 10, "y": 20, "width": 30, "height": 40}  # in an image of 20 x 10 pixels: 2, 2 to 8, 6


def region(kind, value, labels=("a",), **more):
    value = {**value, kind: [*labels]} if labels else value
    return {"type": kind, "original_width": 20, "original_height": 10, "value": value, **more}


def task(*results, name="a.jpg", **more):
    return {"data": {"image": name}, "annotations": [{"result": [*results], **more}]}


def mask_of(tmp_path, *results):
    return drawn(tmp_path, "e.json", json.dumps([task(*results)]), overwrite=True)


def test_polygons_boxes_and_ellipses_are_in_percent(tmp_path):
    ring = [[10, 20], [40, 20], [40, 60], [10, 60]]
    for result in (region("polygonlabels", {"points": ring}), region("rectanglelabels", BOX)):
        mask, _ = mask_of(tmp_path, result)
        assert mask.shape == (10, 20) and mask.sum() == 24 and (mask[2:6, 2:8] == 1).all()
    round_one = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 10, "rotation": 0}  # 4 x 1 pixels
    mask, _ = mask_of(tmp_path, region("ellipselabels", round_one))
    assert (
        mask[4:6, 7:13].all()
        and not mask[:4].any()
        and mask[5, 5:15].tolist() == mask[4, 5:15].tolist()
    )
    mask, _ = mask_of(tmp_path, region("ellipselabels", {**round_one, "rotation": 90}))
    assert mask[2:8, 9:11].all() and not mask[:, :9].any()  # upright, and still 4 x 1 pixels


def test_boxes_turn_about_their_first_corner_in_pixels(tmp_path):
    turned = {"x": 50, "y": 10, "width": 30, "height": 40, "rotation": 90}  # 6 x 4 at 10, 1
    mask, _ = mask_of(tmp_path, region("rectanglelabels", turned))
    assert mask.sum() == 24 and (mask[1:7, 6:10] == 1).all()


def brush(values):
    """Packed run lengths in which every value stands by itself."""
    bits = f"{len(values):032b}" + "00111" + "1111" * 4 + "0" + "00" + f"{len(values) - 1:016b}"
    bits += "".join(f"{value:08b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


@pytest.mark.parametrize("top", [255, 100, 1])
def test_a_brush_covers_the_pixels_that_it_covers_by_half(top, tmp_path):
    opacity = np.zeros((10, 20), int)
    opacity[3, 4:8] = top // 4, top // 2 + 1, top, top
    value = {"format": "rle", "rle": brush(np.repeat(opacity.ravel(), 4))}
    mask, found = mask_of(tmp_path, region("brushlabels", value))
    assert np.argwhere(mask).tolist() == [[3, 5], [3, 6], [3, 7]]
    value["rle"] = value["rle"][:-9]
    with pytest.raises(UserError, match=r"e.json: 'a.jpg': run lengths \(RLE\) that end too soon"):
        mask_of(tmp_path, region("brushlabels", value))


def test_bit_masks_are_pictures(tmp_path):
    pixels = np.zeros((10, 20, 4), np.uint8)
    pixels[2, 3:5, 3] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    url = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    mask, _ = mask_of(tmp_path, region("bitmasklabels", {"imageDataURL": url}))
    assert np.argwhere(mask).tolist() == [[2, 3], [2, 4]]
    other = {**region("bitmasklabels", {"imageDataURL": url}), "original_width": 21}
    with pytest.raises(
        UserError, match=r"a bit mask of \(20, 10\) pixels in an image of \(21, 10\)"
    ):
        mask_of(tmp_path, other)


def test_a_region_has_one_label_wherever_it_stands(tmp_path):
    outline = region("rectangle", BOX, labels=(), id="r1")
    label = region("labels", BOX, ["car"], id="r1")
    choice = {"id": "r1", "type": "choices", "value": {**BOX, "choices": ["parked"]}}
    whole = {"id": "c", "type": "choices", "value": {"choices": ["sunny"]}}
    mask, found = mask_of(tmp_path, whole, outline, label, choice)
    assert found.classes == ["background", "car"] and mask.sum() == 24 and found.drawn == {"a": 1}
    with pytest.raises(UserError, match="a shape of 'a.jpg' has no label"):
        mask_of(tmp_path, outline)
    with pytest.raises(UserError, match="'a.jpg': an object has the labels car, van, but a pixel"):
        mask_of(tmp_path, region("rectanglelabels", BOX, ["car", "van"]))


def test_what_has_no_area_is_left_out_by_kind(tmp_path):
    point = region("keypointlabels", {"x": 5, "y": 5, "width": 0.4})
    path = region("vectorlabels", {"vertices": [], "closed": False})
    _, found = mask_of(tmp_path, point, path, region("rectanglelabels", BOX))
    assert found.left_out == {"keypoint": 1, "vector": 1}


def test_one_annotation_of_each_task_counts(tmp_path):
    def by(label, **more):
        return {"result": [region("rectanglelabels", BOX, [label])], **more}

    tasks = [
        {**task(name="a.jpg"), "annotations": [by("old"), by("new"), by("x", was_cancelled=True)]},
        {**task(name="b.jpg"), "annotations": [by("truth", ground_truth=True), by("later")]},
        {
            **task(name="c.jpg"),
            "annotations": [
                by("edited", updated_at="2026-02-01"),
                by("first", updated_at="2026-01-01"),
            ],
        },
        {**task(name="d.jpg"), "annotations": [by("x", was_cancelled=True)]},
        {**task(name="e.jpg"), "annotations": [], "predictions": [by("x")]},
    ]
    (tmp_path / "e.json").write_text(json.dumps(tasks))
    done = import_masks(tmp_path / "e.json", tmp_path / "m", empty_is_background=True)
    assert done.classes == ["background", "edited", "new", "truth"]
    assert [*done.drawn] == ["a", "b", "c"]  # nobody has looked at d and e
    said = "\n".join(done.in_words(tmp_path))
    assert "2 task(s) were skipped or not annotated and get no mask (first: d.jpg)" in said
    assert "Predictions do not count: submit them in Label Studio" in said
    assert "3 annotation(s) of tasks that have several are left out (first: a.jpg)" in said


def test_json_min_says_the_same(tmp_path):
    value = {**BOX, "rotation": 0, "original_width": 20, "original_height": 10}
    entry = {"image": "/data/upload/3/0123abcd-a.jpg", "id": 1, "annotator": 1, "annotation_id": 7}
    entries = [
        {**entry, "label": [{**value, "rectanglelabels": ["old"]}]},
        {
            **entry,
            "label": [{**value, "rectanglelabels": ["box"]}],
            "brush": [{**value, "x": 60, "labels": ["late"]}],
            "boxes": [value],  # the labels of these stand elsewhere
            "sky": "blue",
        },
    ]
    mask, found = drawn(tmp_path, "e.json", json.dumps(entries))
    assert found.classes == ["background", "box", "late"] and found.drawn == {"a": 2}
    assert (mask[2:6, 2:8] == 1).all() and (mask[2:6, 12:18] == 2).all()
    assert "1 annotation(s) of tasks that have several" in found.notes[0]


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("photo.jpg", "photo.jpg"),
        ("50%20 #1?.jpg", "50%20 #1?.jpg"),
        ("/data/upload/1/1a2b3c4d-photo.jpg", "data/upload/1/photo.jpg"),
        ("http://localhost:8080/data/upload/1a2b3c4d-a-b.jpg", "data/upload/a-b.jpg"),
        ("/data/local-files/?d=set%201/1a2b3c4d-photo.jpg", "set 1/1a2b3c4d-photo.jpg"),
        ("https://host/set/my%20photo.jpg?token=a/b.png", "set/my photo.jpg"),
        ("s3://bucket/set/photo.jpg", "set/photo.jpg"),
    ],
)
def test_the_name_is_the_one_of_the_users_photo(address, path):
    assert image_path({"data": {"image": address}}) == path
    assert image_path({"data": {"photo": address, "text": "a cat"}}) == path


def test_a_task_shows_one_image_upright(tmp_path):
    with pytest.raises(ValueError, match="2 images instead of one"):
        image_path({"data": {"left": "a.jpg", "right": "b.jpg"}})
    with pytest.raises(UserError, match="'a.jpg' was turned by 90 degrees while it was labeled"):
        mask_of(tmp_path, region("rectanglelabels", BOX, image_rotation=90))
    with pytest.raises(UserError, match="the task of 'a.jpg' shows several images"):
        mask_of(tmp_path, region("rectanglelabels", BOX, item_index=1))


def test_predictions_that_somebody_accepts_come_back_to_the_pixel(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (31, 43)).astype(np.uint8)
    photo = Labeled(tmp_path / "photos/x 1.jpg", "x 1.jpg", labels, 0)
    write([photo], {1: "car", 2: "Bäume"}, tmp_path / "tasks.json", OwnFiles(tmp_path))
    tasks = json.loads((tmp_path / "tasks.json").read_text("utf-8"))
    for one in tasks:
        one["annotations"] = one.pop("predictions")
    mask, found = drawn(tmp_path, "e.json", json.dumps(tasks))
    assert found.drawn == {"x 1": 2} and found.classes == ["background", "Bäume", "car"]
    assert np.array_equal(mask, np.array([0, 2, 1])[labels])


def test_photos_tell_folders_and_missing_sizes(tmp_path):
    photos(tmp_path / "photos", "one/my photo (1).jpg", "two/x.jpg", "three/x.jpg", size=(20, 10))
    sized = region("rectanglelabels", BOX)
    bare = {key: value for key, value in sized.items() if not key.startswith("original")}
    tasks = [
        task(bare, name="/data/upload/1/1a2b3c4d-my_photo_1.jpg"),
        task(sized, name="/data/local-files/?d=all/two/x.jpg"),
    ]
    (tmp_path / "e.json").write_text(json.dumps(tasks))
    done = import_masks(tmp_path / "e.json", tmp_path / "m", images=tmp_path / "photos")
    assert {*done.drawn} == {"one/my photo (1)", "two/x"}
    mask = np.asarray(Image.open(tmp_path / "m/one/my photo (1).png"))
    assert mask.shape == (10, 20) and mask.sum() == 24
