"""ADE20K: label values."""

import numpy as np

from tests.data import trees
from tests.data.trees import opened


def test_ade20k_ignores_other_and_starts_at_zero(tmp_path):
    data = opened("ade20k", trees.ade20k(tmp_path))
    assert np.array_equal(data.labeled.mask(0), trees.blocks(255, 0, 74, 149))
