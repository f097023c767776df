"""Masks found by the name of their image, in folders of their own or with other names."""

from pathlib import Path

import numpy as np
import pytest

from fewmask.data.affixes import NO_AFFIXES, Affixes
from fewmask.data.sources.mask_pattern import is_pattern, pair_by_pattern
from fewmask.errors import UserError
from tests.data.own_folder import opened_folder
from tests.data.test_object_masks import save_object


@pytest.fixture
def nuclei(tmp_path):
    """Six images with two objects each, and one without: ID/images/ID.png, ID/masks/*.png."""
    for i in range(7):
        save_object(tmp_path / f"n{i}" / "images" / f"n{i}.png", (0, 0, 6, 4), value=10 * i)
        for k in range(2 if i < 6 else 0):
            save_object(tmp_path / f"n{i}" / "masks" / f"{i}{k}f.png", (3 * k, 0, 3 * k + 2, 2))
    return tmp_path


def test_each_image_in_a_folder_of_its_own(nuclei):
    data = opened_folder(nuclei, images=Path(), masks=Path("{name}/masks"), binary=True)
    names = {*data.labeled.names, *data.val.names}
    assert names == {f"n{i}/images/n{i}" for i in range(6)}
    assert data.unlabeled.names == ["n6/images/n6"]
    assert data.labeled.mask(0).tolist() == [[1, 1, 0, 1, 1, 0]] * 2 + [[0] * 6] * 2


def test_folders_of_objects_beside_each_other(tmp_path):
    for i in range(3):
        save_object(tmp_path / "images" / f"p{i}.png", (0, 0, 6, 4))
        save_object(tmp_path / "masks" / f"p{i}" / "7.png", (0, 0, 2, 2))
    found, unpaired = pair_by_pattern(
        tmp_path / "images", tmp_path / "masks" / "{name}", NO_AFFIXES
    )
    assert [mask.name for mask in found.masks] == ["p0", "p1", "p2"] and unpaired == []


def test_a_pattern_may_add_to_names(tmp_path):
    for i in range(3):
        save_object(tmp_path / "photos" / f"p{i}_rgb.png", (0, 0, 6, 4))
        save_object(tmp_path / "labels" / f"gt_p{i}_ids.png", (0, 0, 2, 2))
    save_object(tmp_path / "labels" / "gt_p9_ids.png", (0, 0, 2, 2))
    found, unpaired = pair_by_pattern(
        tmp_path / "photos", tmp_path / "labels" / "gt_{name}_ids", Affixes(image_suffix="_rgb")
    )
    assert [mask.name for mask in found.masks] == [f"gt_p{i}_ids.png" for i in range(3)]
    assert [mask.name for mask in unpaired] == ["gt_p9_ids.png"]


def test_hidden_files_are_no_masks(tmp_path):
    for i in range(3):
        save_object(tmp_path / "images" / f"p{i}.png", (0, 0, 6, 4))
        save_object(tmp_path / "masks" / f"p{i}.png", (0, 0, 2, 2))
        (tmp_path / "masks" / f"._p{i}.png").write_bytes(b"Mac OS X")
        save_object(tmp_path / "parts" / f"p{i}" / "all.png", (0, 0, 2, 2))
    save_object(tmp_path / "parts" / ".checkpoints" / "all.png", (0, 0, 2, 2))
    for pattern in ("masks/{name}", "masks/{name}.png", "parts/{name}/all.png", "parts/{name}"):
        found, unpaired = pair_by_pattern(tmp_path / "images", tmp_path / pattern, NO_AFFIXES)
        assert all(found.masks) and unpaired == []


def test_two_masks_for_one_image_are_refused(tmp_path):
    save_object(tmp_path / "p.png", (0, 0, 6, 4))
    for name in ("p.png", "p.tif"):
        save_object(tmp_path / "masks" / name, (0, 0, 2, 2))
    with pytest.raises(UserError, match="Two masks for one image"):
        pair_by_pattern(tmp_path, tmp_path / "masks" / "{name}", NO_AFFIXES)


def test_what_is_a_pattern():
    assert is_pattern(Path("{name}/masks")) and not is_pattern(Path("masks"))


def test_one_object_more_is_another_state(nuclei):
    data = opened_folder(nuclei, images=Path(), masks=Path("{name}/masks"), binary=True)
    before = data.labeled.state(True)
    folder = data.labeled.mask_file(0)
    save_object(folder / "9.png", (0, 3, 6, 4))
    assert data.labeled.state(True) != before
    assert np.array_equal(data.labeled.mask(0)[3], [1] * 6)
