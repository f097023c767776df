"""Folders that are missing, or arranged in another way: the message names what fits."""

from pathlib import Path

import numpy as np
import pytest

from fewmask.data.sources.folder_layout import require_layout
from fewmask.errors import UserError
from tests.data.own_folder import opened_folder
from tests.data.test_object_masks import save_object

IMAGES, MASKS = Path("images"), Path("masks")


def test_other_folders_with_pictures_are_named(tmp_path):
    for i in range(3):
        save_object(tmp_path / "photo" / f"p{i}.png", (0, 0, 2, 2))
    save_object(tmp_path / "labels" / "fine" / "p0.png", (0, 0, 2, 2))
    with pytest.raises(
        UserError, match=r"photo \(3\), labels/fine \(1\)\. Set data.images=photo data"
    ):
        require_layout(tmp_path, IMAGES, MASKS)
    with pytest.raises(
        UserError, match=r"no folder .*masks\. Folders .*Set data.masks=labels/fine,"
    ):
        require_layout(tmp_path, Path("photo"), MASKS)
    require_layout(tmp_path, Path("photo"), Path("labels/fine"))


def test_arrays_that_are_no_masks_are_told_with_their_options(tmp_path):
    io = pytest.importorskip("scipy.io")
    for i in range(2):
        save_object(tmp_path / "photos" / f"p{i}.png", (0, 0, 2, 2))
        save_object(tmp_path / "labels" / f"p{i}.png", (0, 0, 2, 2))
    (tmp_path / "tags").mkdir()
    io.savemat(tmp_path / "tags" / "p0.mat", {"tags": np.array([0, 3, 5])})
    io.savemat(tmp_path / "names.mat", {"names": np.array(["sky", "sea"], object)})
    with pytest.raises(UserError, match="Folders") as error:
        require_layout(tmp_path, IMAGES, MASKS)
    said = str(error.value)
    assert f"data.image_labels={tmp_path / 'tags'}." in said and "data.names=names.mat." in said
    assert "Set data.images=photos data.masks=labels, if" in said


def test_one_folder_of_both_and_folders_that_may_be_either(tmp_path):
    save_object(tmp_path / "p0.jpg", (0, 0, 2, 2))
    with pytest.raises(UserError, match=r"\. \(1\)\. Set 'data.images=\.' 'data.masks=\.'\."):
        require_layout(tmp_path, IMAGES, MASKS)
    save_object(tmp_path / "day" / "p0.png", (0, 0, 2, 2))
    with pytest.raises(UserError, match=r"Set data.images, and data.masks\."):
        require_layout(tmp_path, IMAGES, MASKS)


def test_training_and_validation_in_folders_of_their_own(tmp_path):
    for subset in ("train", "val"):
        for i in range(3):
            save_object(tmp_path / subset / "images" / f"{subset}{i}.png", (0, 0, 6, 4))
            save_object(tmp_path / subset / "masks" / f"{subset}{i}.png", (0, 0, 2, 2), value=1)
    proposed = "data.images=train/images data.masks=train/masks data.val=val"
    with pytest.raises(UserError, match=f"Set {proposed}\\."):
        require_layout(tmp_path, IMAGES, MASKS)
    options = {
        key: Path(place) for key, _, place in (w[5:].partition("=") for w in proposed.split())
    }
    data = opened_folder(tmp_path, **options)
    assert (len(data.labeled), len(data.val)) == (3, 3)


def test_an_empty_folder_and_a_missing_one(tmp_path):
    with pytest.raises(UserError, match="holds no pictures"):
        require_layout(tmp_path, IMAGES, MASKS)
    with pytest.raises(UserError, match="no such folder"):
        require_layout(tmp_path / "none", IMAGES, MASKS)


def test_a_folder_for_each_image_needs_a_pattern_that_works(tmp_path):
    for i in range(3):
        save_object(tmp_path / f"n{i}" / "images" / f"n{i}.png", (0, 0, 6, 4))
        save_object(tmp_path / f"n{i}" / "masks" / f"{i}7f.png", (0, 0, 2, 2))
    with pytest.raises(UserError, match=r"data.images=\. data.masks=\{name\}/masks"):
        require_layout(tmp_path, IMAGES, MASKS)
    data = opened_folder(tmp_path, images=Path(), masks=Path("{name}/masks"), binary=True)
    assert len(data.labeled) + len(data.val) == 3


def test_folders_for_each_image_in_one_for_training(tmp_path):
    for i in range(4):
        save_object(tmp_path / "train" / f"n{i}" / "images" / f"n{i}.png", (0, 0, 6, 4))
        save_object(tmp_path / "test" / f"t{i}" / "images" / f"t{i}.png", (0, 0, 6, 4))
        save_object(tmp_path / "train" / f"n{i}" / "masks" / f"{i}7f.png", (0, 0, 2, 2))
    with pytest.raises(UserError, match=r"data.images=\. data.masks=train/\{name\}/masks\."):
        require_layout(tmp_path, IMAGES, MASKS)
    data = opened_folder(tmp_path, images=Path(), masks=Path("train/{name}/masks"), binary=True)
    assert len(data.labeled) + len(data.val) == 4
    assert [Path(name).name for name in data.unlabeled.names] == ["t0", "t1", "t2", "t3"]


def test_a_folder_for_each_mask_needs_a_pattern_that_works(tmp_path):
    for i in range(3):
        save_object(tmp_path / "images" / f"p{i}.png", (0, 0, 6, 4))
        save_object(tmp_path / "masks" / f"p{i}" / "7.png", (0, 0, 2, 2))
    with pytest.raises(UserError, match=r"data.masks=masks/\{name\}"):
        opened_folder(tmp_path)
    data = opened_folder(tmp_path, masks=Path("masks/{name}"), binary=True)
    assert data.labeled.mask(0).tolist() == [[1, 1, 0, 0, 0, 0]] * 2 + [[0] * 6] * 2


def test_subfolders_of_both_are_an_ordinary_layout(tmp_path):
    for kind in ("images", "masks"):
        save_object(tmp_path / kind / "p.png", (0, 0, 2, 2))
        save_object(tmp_path / kind / "day1" / "q.png", (0, 0, 2, 2))
    require_layout(tmp_path, IMAGES, MASKS)


def test_the_folder_above_the_images_is_named(photos):
    with pytest.raises(UserError, match=rf"Give the one above: data={photos}\."):
        opened_folder(photos / "images")
    assert len(opened_folder(photos).labeled) > 0
