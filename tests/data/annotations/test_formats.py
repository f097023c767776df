"""Exports that cannot be read."""

import pytest

from tests.program import fewmask


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", "{", "Cannot read the annotations"),
        ("a.json", "{}", "is of another tool. Export as COCO"),
        ("a.json", '[{"data": {}}]', "is of another tool. Export as COCO"),
        ("a.json", '{"shapes": []}', "holds no imageWidth and imageHeight, nor the photo"),
        ("a.json", '{"annotations": []}', "KeyError 'categories'"),
        ("a.xml", '<annotations><track id="0"/></annotations>', "'CVAT for video': export as"),
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
