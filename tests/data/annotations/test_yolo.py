"""Labels of YOLO."""

import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.importing import import_masks
from fewmask.errors import UserError
from tests.data.exports import photos

SQUARE = "0.1 0.2 0.4 0.2 0.4 0.6 0.1 0.6"  # of 20 x 10 pixels: 2, 2 to 8, 6


def data_set(root, labels, names="names: [cow, dog]"):
    """A folder with label files by path, and photos of 20 x 10 pixels in the same places."""
    for file, text in labels.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
        photo = file.replace("labels", "images").replace(".txt", ".jpg")
        photos(root, photo, size=(20, 10))
    if names is not None:
        (root / "data.yaml").write_text(names)
    return root


def mask(file):
    return np.asarray(Image.open(file))


def test_outlines_are_shares_of_the_photo(tmp_path):
    root = data_set(tmp_path / "set", {"labels/a.v2.txt": f"1 {SQUARE}\n\n0.0 {SQUARE[:23]}\n"})
    done = import_masks(root, tmp_path / "m")
    assert done.classes == ["background", "cow", "dog"] and done.drawn == {"a.v2": 2}
    drawn = mask(tmp_path / "m/a.v2.png")
    assert drawn.shape == (10, 20) and (drawn > 0).sum() == 24 and (drawn[2:6, 2:8] > 0).all()
    assert drawn[2, 7] == 1 and drawn[5, 2] == 2  # the later triangle over the square


@pytest.mark.parametrize(
    ("labels", "stems"),
    [
        (["labels/a.txt", "labels/b.txt"], {"a", "b"}),
        (["labels/train/a.txt", "labels/val/a.txt"], {"train/a", "val/a"}),
        (["train/labels/a.txt", "valid/labels/b.txt"], {"train/a", "valid/b"}),
    ],
)
def test_masks_lie_as_the_photos_below_images(labels, stems, tmp_path):
    root = data_set(tmp_path / "set", {file: f"0 {SQUARE}" for file in labels})
    (root / "train.txt").write_text("images/train/a.jpg\n")
    done = import_masks(root, tmp_path / "m")
    assert {*done.drawn} == stems
    assert mask(tmp_path / "m" / f"{min(stems)}.png").sum() == 24


def test_a_part_of_a_data_set_can_be_imported(tmp_path):
    root = data_set(
        tmp_path / "set", {f"{n}/labels/a.txt": f"0 {SQUARE}" for n in ("train", "val")}
    )
    assert {*import_masks(root / "train", tmp_path / "m").drawn} == {"a"}
    assert {*import_masks(root / "val/labels", tmp_path / "n").drawn} == {"a"}
    done = import_masks(root, tmp_path / "o", images=root)
    assert {*done.drawn} == {"train/images/a", "val/images/a"}


def test_names_are_numbered(tmp_path):
    labels = {"labels/a.txt": f"3 {SQUARE}"}
    root = data_set(tmp_path / "set", labels, "kind: x\nnames:\n  3: no\n  1: cow\n")
    assert import_masks(root, tmp_path / "m").classes == ["background", "cow", "no"]
    (root / "data.yaml").unlink()
    (root / "labels/classes.txt").write_text("cow\ndog\ncat\nhen\n")
    done = import_masks(root, tmp_path / "n")
    assert done.classes == ["background", "cow", "dog", "cat", "hen"] and done.drawn == {"a": 1}


def test_boxes_have_no_outline(tmp_path):
    root = data_set(tmp_path / "set", {"labels/a.txt": f"0 0.5 0.5 0.1 0.1\n0 {SQUARE}"})
    done = import_masks(root, tmp_path / "m")
    assert done.left_out == {"box without an outline": 1} and done.drawn == {"a": 1}
    (root / "labels/a.txt").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(UserError, match="with an outline or pixels, but 1 box without an outline"):
        import_masks(root, tmp_path / "n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"0 {SQUARE} 0.5", "line 1 of labels/a.txt: 9 numbers after the class"),
        (f"0 {SQUARE}\n0 a b c d e f", "line 2 of labels/a.txt: could not convert"),
        (f"2 {SQUARE}", "line 1 of labels/a.txt: class 2, but only 2 classes have names"),
        (f"x {SQUARE}", "line 1 of labels/a.txt: could not convert"),
        (f"0 {SQUARE[:-3]}160", "line 1 of labels/a.txt: coordinates that are not shares"),
        (f"0 {SQUARE[:-3]}nan", "line 1 of labels/a.txt: coordinates that are not shares"),
    ],
)
def test_damaged_rows_are_named(text, says, tmp_path):
    root = data_set(tmp_path / "set", {"labels/a.txt": text})
    with pytest.raises(UserError, match=f"Cannot read the annotations in .*set: {says}"):
        import_masks(root, tmp_path / "m")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (None, "no data.yaml or classes.txt in .*set that names the classes"),
        ("nc: 2", "data.yaml has no list of names"),
        ("names: [", "Cannot read .*data.yaml as YAML"),
        ("kpt_shape: [17, 3]\nnames: [a]", "data.yaml has kpt_shape"),
    ],
)
def test_classes_must_have_names(names, says, tmp_path):
    root = data_set(tmp_path / "set", {"labels/a.txt": f"0 {SQUARE}"}, names)
    with pytest.raises(UserError, match=says):
        import_masks(root, tmp_path / "m")


def test_files_that_are_no_labels_are_told(tmp_path):
    root = data_set(tmp_path / "set", {"labels/a.txt": f"0 {SQUARE}"})
    (root / "labels/a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="a.txt is not a text file"):
        import_masks(root, tmp_path / "m")
    (root / "labels/b.txt").write_text(f"0 {SQUARE}")
    (root / "labels/a.txt").unlink()
    with pytest.raises(UserError, match="no photo of the name 'b'"):
        import_masks(root, tmp_path / "m")


def test_labelme_files_with_notes_beside_them_are_not_of_yolo(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/readme.txt").write_text("by hand")
    shape = {"label": "a", "points": [[0, 0], [4, 0], [4, 4]]}
    content = {"imageWidth": 4, "imageHeight": 4, "shapes": [shape]}
    (tmp_path / "labels/a.json").write_text(json.dumps(content))
    assert import_masks(tmp_path / "labels", tmp_path / "m").drawn == {"a": 1}
