"""Folders with one mask for each object are merged; those with one for each class are refused."""

import numpy as np
import pytest
from PIL import Image

from fewmask.data.masks import MASK_SUFFIXES, read_mask
from fewmask.data.object_masks import mask_parts, require_objects
from fewmask.errors import UserError


def save_object(file, box, size=(6, 4), value=255):
    picture = Image.new("L", size)
    picture.paste(value, box)
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def test_the_largest_number_counts_where_objects_meet(tmp_path):
    save_object(tmp_path / "a.png", (0, 0, 2, 2), value=1)
    save_object(tmp_path / "b.png", (1, 1, 4, 3), value=3)
    (tmp_path / "notes.txt").write_text("two objects")
    expected = np.zeros((4, 6), int)
    expected[:2, :2], expected[1:3, 1:4] = 1, 3
    assert np.array_equal(read_mask(tmp_path), expected)
    assert [part.name for part in mask_parts(tmp_path, MASK_SUFFIXES)] == ["a.png", "b.png"]
    assert mask_parts(tmp_path / "a.png", MASK_SUFFIXES) == [tmp_path / "a.png"]


def test_objects_of_another_size_are_refused(tmp_path):
    save_object(tmp_path / "a.png", (0, 0, 2, 2))
    save_object(tmp_path / "b.png", (0, 0, 2, 2), size=(6, 5))
    with pytest.raises(UserError, match="differ in size"):
        read_mask(tmp_path)


def test_an_empty_folder_is_no_mask(tmp_path):
    with pytest.raises(UserError, match="holds no masks"):
        read_mask(tmp_path)


def test_files_named_by_class_are_not_merged(tmp_path):
    folders = [tmp_path / name for name in ("p1", "p2")]
    for folder in folders:
        for name in ("water", "road"):
            save_object(folder / f"{name}.png", (0, 0, 2, 2))
    with pytest.raises(UserError, match=r"same names \(road, water\)"):
        require_objects(folders, MASK_SUFFIXES)


@pytest.mark.parametrize(
    "names", [["p_water_1", "p_road_7"], ["road01", "water03", "water04"], ["class1", "class2"]]
)
def test_numbers_in_names_of_classes_do_not_count(names, tmp_path):
    for folder in ("q1", "q2"):
        for name in names:
            save_object(tmp_path / folder / f"{folder}_{name}.png", (0, 0, 2, 2))
    with pytest.raises(UserError, match="each file seems to be a class"):
        require_objects([tmp_path / "q1", tmp_path / "q2"], MASK_SUFFIXES)


def test_names_of_images_places_and_random_ones_are_no_classes(tmp_path):
    names = {
        "paris_1": ["paris_1_mask_0", "paris_1_mask_1"],
        "rome_2": ["rome_2_mask_0", "rome_2_mask_1"],
        "oslo_3": ["deadbeef12", "fade99"],
        "bonn_4": ["deadbeef13", "fade98"],
    }
    for folder, files in names.items():
        for name in files:
            save_object(tmp_path / folder / f"{name}.png", (0, 0, 2, 2))
    require_objects([tmp_path / folder for folder in names], MASK_SUFFIXES)


def test_an_object_in_colors_is_named(tmp_path):
    Image.new("RGB", (6, 4), "red").save(tmp_path / "overlay.png")
    with pytest.raises(UserError, match=r"overlay.png: it is in colors \(mode RGB\)"):
        read_mask(tmp_path)


def test_numbered_objects_may_have_the_same_names(tmp_path):
    folders = [tmp_path / name for name in ("p1", "p2")]
    for folder in folders:
        for name in ("0", "1"):
            save_object(folder / f"{name}.png", (0, 0, 2, 2))
    require_objects(folders, MASK_SUFFIXES)
    assert set(np.unique(read_mask(folders[0]))) == {0, 255}
