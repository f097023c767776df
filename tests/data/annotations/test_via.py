"""Regions of VIA."""

import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.importing import import_masks
from fewmask.errors import UserError
from tests.data.exports import drawn, photos
from tests.program import fewmask

RECT = {"name": "rect", "x": 2, "y": 1, "width": 3, "height": 4}


def region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def export(*regions, name="a.jpg"):
    return {
        f"{name}99": {"filename": name, "size": 99, "regions": [*regions], "file_attributes": {}}
    }


def mask_of(tmp_path, content, **options):
    photos(tmp_path, "a.jpg", size=(20, 10))
    return drawn(tmp_path, "via.json", json.dumps(content), overwrite=True, **options)


def test_shapes_are_in_pixels_of_the_photo(tmp_path):
    ring = {"name": "polygon", "all_points_x": [1, 4, 4, 1], "all_points_y": [2, 2, 8, 8]}
    mask, _ = mask_of(tmp_path, export(region(ring, name="a"), region(RECT, name="b")))
    assert mask.shape == (10, 20) and (mask[1:5, 2:5] == 2).all() and (mask[5:8, 1:4] == 1).all()
    assert (mask > 0).sum() == 12 + 18 - 6
    mask, _ = mask_of(
        tmp_path, export(region({"name": "circle", "cx": 10, "cy": 5, "r": 3}, name="a"))
    )
    assert mask[5, 7:13].all() and not mask[5, 13] and mask[2:8, 10].all() and not mask[2, 7]
    oval = {"name": "ellipse", "cx": 10, "cy": 5, "rx": 4, "ry": 1}
    mask, _ = mask_of(tmp_path, export(region(oval, name="a")))
    assert mask[4, 7:13].all() and not mask[3].any()
    mask, _ = mask_of(tmp_path, export(region({**oval, "theta": np.pi / 2}, name="a")))
    assert mask[2:8, 9].all() and not mask[:, 8].any()


def test_lines_and_points_are_left_out_by_kind(tmp_path):
    line = {"name": "polyline", "all_points_x": [1, 4], "all_points_y": [2, 2]}
    point = {"name": "point", "cx": 1, "cy": 1}
    _, found = mask_of(tmp_path, export(region(line), region(point), region(RECT, name="a")))
    assert found.left_out == {"polyline": 1, "point": 1} and found.drawn == {"a": 1}


def test_projects_declare_their_classes(tmp_path):
    options = {"cow": "", "dog": "", "cat": ""}
    content = {
        "_via_settings": {},
        "_via_img_metadata": export(region(RECT, kind="dog")),
        "_via_attributes": {"region": {"kind": {"type": "dropdown", "options": options}}},
    }
    mask, found = mask_of(tmp_path, content)
    assert found.classes == ["background", "cow", "dog", "cat"] and mask.max() == 2
    content["_via_img_metadata"] = {}
    with pytest.raises(UserError, match="annotates no image"):
        mask_of(tmp_path, content)


def test_regions_of_version_1_are_numbered(tmp_path):
    content = export()
    content["a.jpg99"]["regions"] = {"0": region(RECT, name="a")}
    assert mask_of(tmp_path, content)[0].sum() == 12


def test_the_attribute_that_all_regions_have_names_the_class(tmp_path):
    some = export(region(RECT, kind="cow", note="old"), region(RECT, kind="dog", note=" "))
    assert mask_of(tmp_path, some)[1].classes == ["background", "cow", "dog"]
    content = export(region(RECT, kind="cow", number=1), region(RECT, kind="dog", number=2))
    with pytest.raises(
        UserError, match=r"Give --attribute kind, .*: kind \(cow, dog\), number \(1, 2\)"
    ):
        mask_of(tmp_path, content)
    words = ("--attribute", "kind", "--overwrite", "--out", tmp_path / "m")
    assert "[background, cow, dog]" in fewmask("import", tmp_path / "via.json", *words)
    with pytest.raises(UserError, match="which attribute of the regions names the class"):
        import_masks(tmp_path / "via.json", tmp_path / "m", attribute="kinds")


def test_classes_that_were_forgotten_are_told(tmp_path):
    with pytest.raises(UserError, match="a shape of 'a.jpg' has no label"):
        mask_of(tmp_path, export(region(RECT, kind="cow"), region(RECT)))
    with pytest.raises(UserError, match="no region has an attribute"):
        mask_of(tmp_path, export(region(RECT)))


def test_a_ticked_box_is_a_class(tmp_path):
    ticked = export(region(RECT, kind={"cow": True, "dog": False}))
    assert mask_of(tmp_path, ticked)[1].classes == ["background", "cow"]
    with pytest.raises(UserError, match="'a.jpg': a region has kind: cow, dog, but a pixel"):
        mask_of(tmp_path, export(region(RECT, kind={"cow": True, "dog": True})))


def test_damaged_shapes_are_one_message(tmp_path):
    uneven = {"name": "polygon", "all_points_x": [1, 4, 4], "all_points_y": [2, 2]}
    with pytest.raises(UserError, match="via.json: 'a.jpg': zip"):
        mask_of(tmp_path, export(region(uneven, name="a")))
    with pytest.raises(UserError, match="via.json: KeyError 'height'"):
        mask_of(tmp_path, export(region({"name": "rect", "x": 1, "y": 1, "width": 1}, name="a")))
    for number in ("NaN", "Infinity"):
        circle = {"name": "circle", "cx": 1, "cy": 1, "r": float(number)}
        with pytest.raises(UserError, match="is not a number"):
            mask_of(tmp_path, export(region(circle, name="a")))


def test_the_folder_of_the_photos_can_be_given(tmp_path):
    (tmp_path / "via.json").write_text(json.dumps(export(region(RECT, name="a"))))
    with pytest.raises(UserError, match="There is no photo of the name 'a' .*--images FOLDER"):
        import_masks(tmp_path / "via.json", tmp_path / "m")
    folder = photos(tmp_path / "photos", "field/a.jpg")
    words = ("--images", folder, "--out", tmp_path / "m")
    assert "1 mask(s)" in fewmask("import", tmp_path / "via.json", *words)
    assert Image.open(tmp_path / "m/field/a.png").size == (12, 10)
