"""Exports that cannot be read."""

import pytest

from tests.program import fewmask

EXPECTED = (
    "expected a COCO .json, a CVAT .xml, a Label Studio .json, a VIA .json, a YOLO folder with "
    "labels/*.txt, or a folder of LabelMe .json files."
)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", "{", "Cannot read the annotations"),
        ("a.json", "{}", EXPECTED),
        ("a.json", "[1]", EXPECTED),
        ("a.json", "[]", "annotates no image"),
        ("a.json", "[" * 100_000, "a.json: it is nested too deeply"),
        ("a.json", '[{"data": {}}]', "a.json: a task with 0 images instead of one: {}"),
        ("a.json", '{"shapes": []}', "holds no imageWidth and imageHeight, nor the photo"),
        ("a.json", '{"annotations": []}', "KeyError 'categories'"),
        ("a.xml", '<annotations><track id="0"/></annotations>', "'CVAT for video': export as"),
        ("a.xml", "<annotations>", "ParseError"),
        ("a.xml", "<other/>", "CVAT for images"),
        ("a.json", '{"imageWidth": 1e999, "imageHeight": 1, "shapes": []}', "OverflowError"),
        ("a.txt", "", EXPECTED),
        ("missing.json", None, "There is no file or folder"),
    ],
)
def test_other_files_are_one_message(name, content, says, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    assert says in fewmask("import", tmp_path / name, "--out", tmp_path / "m", code=2)


def test_the_damaged_file_of_a_folder_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    out = ("--out", tmp_path / "m")
    assert "neither LabelMe .json files nor" in fewmask("import", tmp_path / "in", *out, code=2)
    (tmp_path / "in/b.json").write_text("{")
    assert "b.json is damaged" in fewmask("import", tmp_path / "in", *out, code=2)
    (tmp_path / "in/b.json").write_text("{}")
    assert "b.json is of another tool" in fewmask("import", tmp_path / "in", *out, code=2)
