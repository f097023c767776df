"""CamVid: the layout of its folder."""

import numpy as np
import pytest
from PIL import Image

from fewmask.data.benchmarks import CamVid
from fewmask.errors import UserError


@pytest.fixture
def camvid(tmp_path):
    for part, count in (("train", 4), ("val", 2)):
        for kind in ("images", "masks"):
            (tmp_path / part / kind).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (48, 36)).save(tmp_path / part / "images" / f"{part}_{i}.jpg")
            mask = np.arange(48 * 36).reshape(36, 48) % 12
            Image.fromarray(mask.astype(np.uint8)).save(
                tmp_path / part / "masks" / f"{part}_{i}.png"
            )
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "labeled_1.txt").write_text("train_2\n")
    return tmp_path


def test_labeled_list_and_ignored_label(camvid):
    data = CamVid(CamVid.Config(name="camvid", root=camvid, labeled=1)).open()
    assert data.labeled.names == ["train_2"] and len(data.unlabeled) == 3 and len(data.val) == 2
    assert len(data.classes) == 11
    assert np.unique(data.val.mask(0)).tolist() == [*range(11), 255]


def test_an_unknown_list_names_those_there_are(camvid):
    with pytest.raises(UserError, match=r"labeled_5.txt.*\[1\]"):
        CamVid(CamVid.Config(name="camvid", root=camvid, labeled=5)).open()


def test_a_missing_mask_is_named(camvid):
    (camvid / "val" / "masks" / "val_1.png").unlink()
    with pytest.raises(UserError, match="val_1.png"):
        CamVid(CamVid.Config(name="camvid", root=camvid)).open()
