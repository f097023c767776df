"""Masks from LabelMe, COCO and CVAT exports."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.importing import import_masks
from fewmask.errors import UserError
from tests.program import fewmask

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
    classes, drawn, _ = import_masks(export(tmp_path / "in"), tmp_path / "masks")
    assert classes == ["background", "car", "house"] and drawn == {"a": 2, "b": 0}
    mask = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    assert mask.shape == (10, 12) and mask.dtype == np.uint8
    assert mask[3, 3] == 2 and mask[6, 6] == 1 and mask[0, 0] == 0  # later over earlier
    assert (np.asarray(Image.open(tmp_path / "masks" / "b.png")) == 0).all()


def test_names_give_the_order_and_must_be_complete(tmp_path):
    export = coco(tmp_path / "in")
    classes, *_ = import_masks(export, tmp_path / "masks", ["house", "car"])
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


def drawn(tmp_path, name, text, overwrite=False):
    """Imports one file, and gives back the mask of its first image, and what was left out."""
    (tmp_path / name).write_text(text)
    found = import_masks(tmp_path / name, tmp_path / "m", overwrite=overwrite)
    file = tmp_path / "m" / f"{next(iter(found.drawn))}.png"
    return np.asarray(Image.open(file)), found


def test_ellipses_masks_rotated_boxes_and_lines_of_cvat(tmp_path):
    mask, found = drawn(
        tmp_path,
        "a.xml",
        '<annotations><image name="y.png" width="40" height="40">'
        '<ellipse label="e" cx="10" cy="10" rx="8" ry="2" rotation="90"/>'
        '<mask label="m" rle="1,2,1" left="30" top="5" width="2" height="2"/>'
        '<box label="b" xtl="20" ytl="28" xbr="36" ybr="32" rotation="90"/>'
        '<polyline label="l" points="1,1;5,5"/></image></annotations>',
    )
    assert found.classes == ["background", "b", "e", "m"] and found.left_out == {"polyline": 1}
    assert mask[17, 10] == 2 and mask[10, 17] == 0  # stands upright
    assert mask[5:7, 30:32].tolist() == [[0, 3], [3, 0]]
    assert mask[37, 28] == 1 and mask[30, 35] == 0


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


def test_masks_that_are_there_are_kept(tmp_path):
    text = json.dumps({"imageWidth": 4, "imageHeight": 4, "shapes": []})
    drawn(tmp_path, "x.json", text)
    with pytest.raises(UserError, match=r"1 of these masks are in .* already.*--overwrite"):
        drawn(tmp_path, "x.json", text)
    drawn(tmp_path, "x.json", text, overwrite=True)


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
    text = json.dumps({"imageWidth": 4, "imageHeight": 4, "shapes": [shape]})
    assert drawn(tmp_path, "x.json", text)[1].left_out == {kind: 1}
    with pytest.raises(UserError, match="is 0 x 4 pixels"):
        drawn(tmp_path, "y.json", text.replace('"imageWidth": 4', '"imageWidth": 0'))


def test_labelme_keeps_folders_and_reads_its_pixel_masks(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.array([[0, 255], [255, 255]], np.uint8)).save(stream, "PNG")
    coded = base64.b64encode(stream.getvalue()).decode()
    shape = {"label": "a", "points": [[2, 1], [3, 2]], "shape_type": "mask", "mask": coded}
    (tmp_path / "in/sub").mkdir(parents=True)
    text = json.dumps({"imageWidth": 5, "imageHeight": 4, "shapes": [shape]})
    (tmp_path / "in/sub/p.json").write_text(text)
    import_masks(tmp_path / "in", tmp_path / "m")
    mask = np.asarray(Image.open(tmp_path / "m/sub/p.png"))
    assert mask[1:3, 2:4].tolist() == [[0, 1], [1, 1]] and mask.sum() == 3
