"""Tasks for Label Studio."""

import json

import numpy as np
import pytest

from fewmask.data.annotations.labelstudio_tasks import packed, write
from fewmask.data.annotations.objects import Labeled


def test_two_pixels_packed_by_hand():
    """One pixel outside, one inside: 8 values in two runs of 4, each 1 + 2 + 3 + 8 bits."""
    head = "00000000000000000000000000001000" + "00111" + "0010001101111111"
    bits = head + "1" + "00" + "011" + "00000000" + "1" + "00" + "011" + "11111111"
    expected = [int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8)]
    assert packed(np.array([[False, True]])) == expected


def test_label_studio_itself_unpacks_the_same_pixels():
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    random = np.random.default_rng(0)
    masks = [random.random((37, 23)) < share for share in (0.02, 0.5, 0.98)]
    masks += [np.zeros((200, 150), bool), np.ones((200, 150), bool), np.ones((1, 1), bool)]
    for pixels in masks:
        opacity = brush.decode_rle(packed(pixels)).reshape(*pixels.shape, 4)[..., 3]
        assert np.array_equal(opacity, pixels * 255)


def test_a_task_has_a_region_for_each_class(tmp_path):
    labels = np.array([[0, 1, 0], [2, 0, 1]], np.uint8)
    photo = tmp_path / "my photos" / "a" / "x.jpg"
    photos = [Labeled(photo, "a/x.jpg", labels, 0), Labeled(photo, "x.jpg", labels * 0, 0)]
    write(iter(photos), {1: "car", 2: "Bäume", 3: "never"}, tmp_path / "tasks.json")
    first, second = json.loads((tmp_path / "tasks.json").read_text("utf-8"))
    assert first["data"]["image"] == "/data/local-files/?d=my%20photos/a/x.jpg"
    assert second["data"]["image"] == "/data/local-files/?d=a/x.jpg"
    (prediction,) = first["predictions"]
    assert [one["value"]["brushlabels"] for one in prediction["result"]] == [["car"], ["Bäume"]]
    car = prediction["result"][0]
    assert (car["from_name"], car["to_name"], car["type"]) == ("label", "image", "brushlabels")
    assert (car["original_width"], car["original_height"]) == (3, 2)
    assert car["value"]["rle"] == packed(labels == 1)
    assert second["predictions"][0]["result"] == []
