"""VOC with SBD: own masks, the augmented set, and its preparation."""

import shutil

import numpy as np
import pytest
from scipy.io import savemat

from fewmask.errors import UserError
from fewmask.tasks.prepare import prepare
from tests.data import trees
from tests.data.trees import opened, quiet, tree


def test_voc_keeps_its_own_masks_and_borders(tmp_path):
    data = opened("voc", tree("voc", tmp_path))
    names = list(data.labeled.names)
    assert len(names) == 7 and not {"2008_000001", "2008_000002"} & set(names)
    assert np.unique(data.labeled.mask(names.index("2007_000000"))).tolist() == [0, 15, 20, 255]
    assert np.unique(data.labeled.mask(names.index("2009_000001"))).tolist() == [0, 3, 7]
    assert np.unique(data.val.mask(0)).tolist() == [0, 15, 20, 255]


def test_a_ready_copy_of_the_augmented_masks_is_used_as_it_is(tmp_path):
    root = tree("voc", tmp_path)
    shutil.rmtree(root / "benchmark_RELEASE")
    data, warnings = prepare("voc", root, False, quiet)
    assert len(data.labeled) == 7
    assert warnings == [
        "7 training images, but 10582 were published.",
        "2 validation images, but 1449 were published.",
        "3 training images with VOC's own masks, but 1464 were published.",
    ]


def test_a_ready_copy_without_its_list_gets_one(tmp_path):
    root = tree("voc", tmp_path)
    shutil.rmtree(root / "benchmark_RELEASE")
    (root / "VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt").unlink()
    data, _ = prepare("voc", root, False, quiet)
    assert len(data.labeled) == 7


def test_interrupted_preparation_goes_on_where_it_stopped(tmp_path):
    root = tree("voc", tmp_path)
    home = root / "VOCdevkit" / "VOC2012"
    done = home / "SegmentationClassAug" / "2009_000001.png"
    before = done.stat().st_mtime_ns
    (home / "SegmentationClassAug" / "2009_000002.png").unlink()
    (home / "ImageSets" / "Segmentation" / "train_aug.txt").unlink()  # written last
    prepare("voc", root, False, quiet)
    assert done.stat().st_mtime_ns == before
    assert (home / "SegmentationClassAug" / "2009_000002.png").is_file()
    assert not list(home.rglob(".*"))  # no temporary file is left


def test_sbd_values_outside_the_classes_are_refused(tmp_path):
    root = trees.voc(tmp_path)
    savemat(
        root / "benchmark_RELEASE/dataset/cls/2009_000001.mat",
        {"GTcls": {"Segmentation": np.full((40, 56), 257.0)}},
    )
    with pytest.raises(UserError, match="2009_000001.mat holds values outside 0..20"):
        prepare("voc", root, False, quiet)


def test_a_missing_sbd_file_is_named(tmp_path):
    root = trees.voc(tmp_path)
    (root / "benchmark_RELEASE/dataset/cls/2010_000002.mat").unlink()
    with pytest.raises(UserError, match=r"1 SBD mask.s. are missing .*2010_000002.mat.*Unpack"):
        prepare("voc", root, False, quiet)


def test_preparing_again_repairs_what_is_missing(tmp_path):
    root = tree("voc", tmp_path)
    home = root / "VOCdevkit" / "VOC2012"
    mask = home / "SegmentationClassAug" / "2009_000001.png"
    mask.unlink()
    late = root / "benchmark_RELEASE/dataset/cls/2010_000009.mat"
    shutil.copy(late.with_name("2010_000001.mat"), late)
    trees.picture(home / "JPEGImages" / "2010_000009.jpg", 9)
    data, _ = prepare("voc", root, False, quiet)
    assert mask.is_file() and len(data.labeled) == 8
