"""SBD's masks are found beside VOC and read from its .mat files."""

import numpy as np
import pytest
from scipy.io import savemat

from fewmask.data.sources.sbd import find_sbd, read_sbd, sbd_ids
from fewmask.errors import UserError
from tests.data import trees


def test_sbd_is_found_and_its_ids_are_listed(tmp_path):
    root = trees.voc(tmp_path)
    home = root / "VOCdevkit" / "VOC2012"
    sbd = find_sbd(root, home)
    assert sbd == root / "benchmark_RELEASE" / "dataset" == find_sbd(home, home)
    assert len(sbd_ids(sbd)) == 6
    elsewhere = tmp_path / "some" / "other" / "place"
    assert find_sbd(elsewhere, elsewhere) is None


def test_a_mask_has_the_classes_of_the_file(tmp_path):
    wanted = np.array([[0, 20], [255, 3]])
    savemat(tmp_path / "a.mat", {"GTcls": {"Segmentation": wanted}})
    mask = read_sbd(tmp_path / "a.mat")
    assert mask.dtype == np.uint8 and mask.tolist() == wanted.tolist()


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB, but not really")
    with pytest.raises(UserError, match="Cannot read the SBD mask .*a.mat"):
        read_sbd(tmp_path / "a.mat")
