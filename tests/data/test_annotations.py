"""Masks from LabelMe, COCO and CVAT exports."""

import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations import import_masks
from fewmask.errors import UserError
from tests.test_cli import fewmask

SQUARE, CORNER = [(2, 2), (7, 2), (7, 7), (2, 7)], [(5, 5), (11, 5), (11, 9), (5, 9)]


def labelme(root):
    for name, shapes in (("a", [("house", SQUARE), ("car", CORNER)]), ("b", [])):
        content = {
            "imageWidth": 12,
            "imageHeight": 10,
            "shapes": [{"label": n, "points": p, "shape_type": "polygon"} for n, p in shapes],
        }
        root.mkdir(exist_ok=True)
        (root / f"{name}.json").write_text(json.dumps(content))
    return root


def coco(root):
    flat = [[float(v) for point in ring for v in point] for ring in (SQUARE, CORNER)]
    content = {
        "images": [
            {"id": i, "file_name": f"{n}.jpg", "width": 12, "height": 10}
            for i, n in enumerate("ab")
        ],
        "categories": [{"id": 7, "name": "house"}, {"id": 9, "name": "car"}],
        "annotations": [
            {"image_id": 0, "category_id": c, "segmentation": [ring]}
            for c, ring in zip((7, 9), flat, strict=True)
        ],
    }
    root.mkdir(exist_ok=True)
    (root / "export.json").write_text(json.dumps(content))
    return root / "export.json"


def cvat(root):
    rings = ["".join(f"{x},{y};" for x, y in ring)[:-1] for ring in (SQUARE, CORNER)]
    root.mkdir(exist_ok=True)
    (root / "export.xml").write_text(
        "<annotations><version>1.1</version>"
        '<image id="0" name="a.jpg" width="12" height="10">'
        f'<polygon label="house" points="{rings[0]}"/><polygon label="car" points="{rings[1]}"/>'
        '</image><image id="1" name="b.jpg" width="12" height="10"/></annotations>'
    )
    return root / "export.xml"


@pytest.mark.parametrize("export", [labelme, coco, cvat])
def test_all_tools_give_the_same_masks(export, tmp_path):
    classes, drawn = import_masks(export(tmp_path / "in"), tmp_path / "masks")
    assert classes == ["background", "car", "house"] and drawn == {"a": 2, "b": 0}
    mask = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    assert mask.shape == (10, 12) and mask.dtype == np.uint8
    assert mask[3, 3] == 2 and mask[6, 6] == 1 and mask[0, 0] == 0  # later over earlier
    assert (np.asarray(Image.open(tmp_path / "masks" / "b.png")) == 0).all()


def test_names_give_the_order_and_must_be_complete(tmp_path):
    export = coco(tmp_path / "in")
    classes, _ = import_masks(export, tmp_path / "masks", ["house", "car"])
    assert classes == ["background", "house", "car"]
    assert np.asarray(Image.open(tmp_path / "masks" / "a.png"))[3, 3] == 1
    with pytest.raises(UserError, match="objects called 'car', which --names leaves out"):
        import_masks(export, tmp_path / "masks", ["house"])


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


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", "{", "Cannot read the annotations"),
        ("a.json", "{}", "KeyError"),
        ("a.xml", "<annotations>", "ParseError"),
        ("a.xml", "<other/>", "CVAT for images"),
        ("a.txt", "", "expected a COCO .json"),
        ("missing.json", None, "Cannot read"),
    ],
)
def test_other_files_are_one_message(name, content, says, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    assert says in fewmask("import", tmp_path / name, "--out", tmp_path / "m", code=2)


def test_the_command(tmp_path):
    text = fewmask("import", labelme(tmp_path / "in"), "--out", tmp_path / "masks")
    assert "2 mask(s) with 2 object(s)" in text and "1 image(s) have no object (first: b)" in text
    assert "names: [background, car, house]" in text
