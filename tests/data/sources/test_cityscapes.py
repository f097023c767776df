"""Cityscapes: raw ids and train ids."""

import shutil

import numpy as np
import pytest

from fewmask.errors import UserError
from fewmask.report.pictures import mask_picture
from tests.data import trees
from tests.data.trees import opened


@pytest.mark.parametrize("train_ids", [False, True])
def test_cityscapes_reads_raw_ids_and_train_ids_alike(train_ids, tmp_path):
    data = opened("cityscapes", trees.cityscapes(tmp_path, train_ids))
    assert np.array_equal(data.labeled.mask(0), trees.blocks(255, 0, 2, 13, 18, 255))
    assert data.labeled.names[0] == "bad-homburg/bad-homburg_000000_000019"
    written = np.asarray(mask_picture(data.labeled.mask(0), data.classes))
    assert set(np.unique(written)) == ({0, 2, 13, 18, 255} if train_ids else {7, 11, 26, 33, 0})


def test_cityscapes_says_so_when_ids_are_of_the_other_kind(tmp_path):
    root = trees.cityscapes(tmp_path, train_ids=True)
    ulm = root / "gtFine" / "train" / "ulm" / "ulm_000000_000019_gtFine"
    raw, train = (ulm.with_name(f"{ulm.name}_{k}.png") for k in ("labelIds", "labelTrainIds"))
    shutil.copy(raw, train)
    data = opened("cityscapes", root, labeled=2)
    with pytest.raises(UserError, match=r"ulm_000000.*label 26, 33.*raw ids.*_gtFine_labelIds"):
        data.labeled.mask(0)
    for file in root.rglob("*labelTrainIds.png"):
        file.replace(file.with_name(file.name.replace("TrainIds", "Ids")))
    data = opened("cityscapes", root)
    with pytest.raises(UserError, match=r"label 255.*name it \*_gtFine_labelTrainIds"):
        data.labeled.mask(0)


def test_files_that_a_finder_leaves_behind_do_not_matter(tmp_path):
    root = trees.cityscapes(tmp_path)
    (root / "leftImg8bit/train/.DS_Store").write_bytes(b"x")
    (root / "leftImg8bit/train/ulm/._ulm_000000_000019_leftImg8bit.png").write_bytes(b"x")
    (root / "leftImg8bit/train/notes.txt").write_text("x")
    assert len(opened("cityscapes", root).labeled) == 5
