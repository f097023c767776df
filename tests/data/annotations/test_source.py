"""What the user names and says."""

import pytest

from fewmask.data.annotations.source import Source


@pytest.mark.parametrize(
    ("export", "folder"),
    [
        ("set/via.json", "set"),
        ("set", "set"),
        ("set/labels", "set"),
        ("yolo", "yolo/images"),
        ("yolo/labels", "yolo/images"),
        ("yolo/data.json", "yolo/images"),
    ],
)
def test_photos_are_looked_for_beside_the_export(export, folder, tmp_path):
    for name in ("set/labels", "yolo/labels", "yolo/images"):
        (tmp_path / name).mkdir(parents=True)
    source = Source(tmp_path / export, None, tmp_path / "masks")
    assert source.photos.folder == tmp_path / folder and not source.names_photos
    given = Source(tmp_path / export, tmp_path / "other", tmp_path / "masks")
    assert given.photos.folder == tmp_path / "other" and given.names_photos


def test_only_json_files_hold_json(tmp_path):
    (tmp_path / "a.JSON").write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert Source(tmp_path / "a.JSON", None, tmp_path).json == {"a": 1}
    assert Source(tmp_path / "a.xml", None, tmp_path).json is None
    assert Source(tmp_path, None, tmp_path).json is None
