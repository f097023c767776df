"""Projects of VIA 3."""

import json

import pytest

from fewmask.data.annotations.importing import import_masks
from fewmask.data.annotations.via3 import as_version_2, is_version_3
from fewmask.errors import UserError
from tests.data.exports import drawn, photos


def project(*shapes, kind=4):
    """A project with two images and the given (numbers, attributes) in the first one."""
    return {
        "project": {"pname": "p"},
        "attribute": {
            "1": {"aname": "class", "type": kind, "options": {"0": "cow", "1": "dog", "2": "cat"}},
            "2": {"aname": "note", "type": 1, "options": {}},
        },
        "file": {str(n): {"fid": n, "fname": f"{n}.jpg", "type": 2} for n in (1, 2)},
        "view": {str(n): {"fid_list": [n]} for n in (1, 2)},
        "metadata": {
            f"1_{n}": {"vid": "1", "flg": 0, "z": [], "xy": xy, "av": av}
            for n, (xy, av) in enumerate(shapes)
        },
    }


def test_shapes_attributes_and_options_have_names(tmp_path):
    photos(tmp_path, "1.jpg", "2.jpg")
    content = project(
        ([2, 1, 2, 3, 4], {"1": "1"}),
        ([7, 6, 0, 9, 0, 9, 4, 6, 4], {"1": "2", "2": "seen"}),
        ([3, 8, 7, 2], {"1": "0"}),
        ([4, 3, 8, 2, 1], {"1": "0"}),
        ([6, 1, 1, 5, 5, 7, 7], {}),
        ([8, 1, 1, 5, 5, 7, 7, 3, 3], {"1": "0"}),
        ([], {"2": "about the image"}),
    )
    mask, found = drawn(tmp_path, "via.json", json.dumps(content))
    assert found.classes == ["background", "cow", "dog", "cat"]
    assert (mask[2:6, 1:4] == 2).all() and (mask == 2).sum() == 12
    assert (mask[0:4, 6:9] == 3).all() and mask[7, 8] == 1 and mask[8, 2] == 1
    assert found.left_out == {"polyline": 1, "extreme rectangle": 1}
    assert found.without_objects == ["2"]


def test_ticked_boxes_are_numbers_with_commas():
    content = project(([2, 1, 2, 3, 4], {"1": "0,2"}), ([2, 1, 2, 3, 4], {"1": ""}), kind=2)
    regions = as_version_2(content)["_via_img_metadata"]["1"]["regions"]
    assert regions[0]["region_attributes"] == {"class": {"cow": True, "cat": True}}
    assert regions[1]["region_attributes"] == {"class": {}}


def test_other_files_than_images_are_told(tmp_path):
    content = project()
    content["file"]["1"]["type"] = 4
    (tmp_path / "via.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="view 1 .* something else than one image"):
        import_masks(tmp_path / "via.json", tmp_path / "m")
    content = project(([2, 1, 2], {"1": "0"}))
    (tmp_path / "via.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="Cannot read the annotations in .*via.json"):
        import_masks(tmp_path / "via.json", tmp_path / "m")
    assert is_version_3(content) and not is_version_3({"metadata": {}})
