"""COCO: masks drawn from instances."""

import json

import numpy as np
import pytest

from fewmask.data.image_labels import read_image_labels
from fewmask.data.sources.coco import COCO
from fewmask.errors import UserError
from fewmask.tasks.prepare import prepare
from tests.data import trees
from tests.data.trees import opened, quiet, tree


def test_coco_draws_small_things_over_large_ones_and_crowds_below(tmp_path):
    data = opened("coco", tree("coco", tmp_path), labeled=2)
    mask = data.labeled.mask(0)
    assert data.labeled.names == ["000000000002", "000000000004"]
    assert mask[15, 15] == 80  # category 90, the last in the order of ids, over category 3
    assert mask[5, 5] == 3 and mask[35, 5] == 0
    assert mask[5, 50] == 1  # the crowd


def test_coco_2014_has_other_file_names_and_the_same_ids(tmp_path):
    trees.coco(tmp_path, year="2014")
    prepare("coco", tmp_path, False, quiet)
    data = opened("coco", tmp_path, labeled=2)
    assert data.labeled.names[0] == "COCO_train2014_000000000002"
    assert set(np.unique(data.val.mask(0))) == {0, 1, 3, 80}


def test_the_classes_of_all_instances_are_image_level_labels(tmp_path):
    root = trees.coco(tmp_path)
    file = root / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    content["annotations"] = content["annotations"][2:]  # the first image keeps its crowd only
    content["annotations"][0]["category_id"] = 10
    file.write_text(json.dumps(content))
    said = []
    prepare("coco", root, False, said.append)
    labels = COCO.image_labels(root)
    assert said[-1].endswith(f"data.image_labels={labels}")
    assert labels.read_text().splitlines()[:3] == [
        "image,classes",
        "000000000001,traffic light",
        "000000000002,person;car;toothbrush",
    ]
    data = opened("coco", root, labeled=2)
    present = read_image_labels(labels, data.unlabeled.names, data.classes)
    shown = [[data.classes.names[label] for label in np.flatnonzero(row)] for row in present]
    assert shown == [["traffic light"], *[["person", "car", "toothbrush"]] * 2]


@pytest.mark.parametrize(
    ("outline", "says"),
    [
        ([[None, 1, 2, 3, 4, 5]], "a coordinate is not a number"),
        (None, "cannot be drawn"),
        ({"counts": [5], "size": [trees.HEIGHT, trees.WIDTH]}, "do not add up"),
        ({"counts": "abc", "size": [3, 3]}, "run lengths for"),
    ],
)
def test_malformed_outlines_of_coco_are_named(outline, says, tmp_path):
    root = trees.coco(tmp_path)
    file = root / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["segmentation"] = outline
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"image 000000000101 .*'toothbrush'.*{says}"):
        prepare("coco", root, False, quiet)


def test_outlines_without_an_inside_are_skipped(tmp_path):
    root = trees.coco(tmp_path)
    file = root / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    for one, outline in zip(content["annotations"][:2], ([], [[1, 2, 3, 4]]), strict=True):
        one["segmentation"] = outline
    file.write_text(json.dumps(content))
    prepare("coco", root, False, quiet)
    assert np.unique(opened("coco", root).val.mask(0)).tolist() == [0, 1]


def test_other_categories_than_cocos_are_refused(tmp_path):
    root = trees.coco(tmp_path)
    file = root / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    content["categories"].pop(3)
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="categories are not COCO's 80 things"):
        prepare("coco", root, False, quiet)
