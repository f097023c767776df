"""CamVid: label values and file formats."""

import numpy as np
import pytest

from fewmask.errors import UserError
from tests.data import trees
from tests.data.trees import opened


def test_the_unlabeled_class_is_ignored(tmp_path):
    data = opened("camvid", trees.camvid(tmp_path))
    assert np.array_equal(data.labeled.mask(0), trees.blocks(*range(11), 255))


def test_images_of_two_kinds_are_refused(tmp_path):
    root = trees.camvid(tmp_path)
    trees.picture(root / "train/images/train_9.png", 9)
    with pytest.raises(UserError, match=r"several kinds \(.jpg, .png\); keep one kind"):
        opened("camvid", root)
