"""Tasks for Label Studio."""

import json

import numpy as np

from fewmask.data.annotations.labelstudio_tasks import write
from fewmask.data.annotations.objects import Labeled
from fewmask.data.annotations.packed_runs import pack
from fewmask.data.own_files import OwnFiles


def test_a_task_has_a_region_for_each_class(tmp_path):
    labels = np.array([[0, 1, 0], [2, 0, 1]], np.uint8)
    photo = tmp_path / "my photos" / "a" / "x.jpg"
    photos = [Labeled(photo, "a/x.jpg", labels, 0), Labeled(photo, "x.jpg", labels * 0, 0)]
    write(
        iter(photos),
        {1: "car", 2: "Bäume", 3: "never"},
        tmp_path / "tasks.json",
        OwnFiles(tmp_path),
    )
    first, second = json.loads((tmp_path / "tasks.json").read_text("utf-8"))
    assert first["data"]["image"] == "/data/local-files/?d=my%20photos/a/x.jpg"
    assert second["data"]["image"] == "/data/local-files/?d=a/x.jpg"
    (prediction,) = first["predictions"]
    assert [one["value"]["brushlabels"] for one in prediction["result"]] == [["car"], ["Bäume"]]
    car = prediction["result"][0]
    assert (car["from_name"], car["to_name"], car["type"]) == ("label", "image", "brushlabels")
    assert (car["original_width"], car["original_height"]) == (3, 2)
    assert car["value"]["rle"] == pack(labels == 1)
    assert second["predictions"][0]["result"] == []
