"""Objects of COCO."""

import json

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
    assert mask[4, 4] == 1 and mask[2, 2] == 1
    assert found.left_out == {"empty polygon": 1, "box without an outline": 1}
    said = fewmask("import", tmp_path / "c.json", "--out", tmp_path / "other")
    assert "names: [background, 'car, red']" in said and "1 box without an outline" in said
