"""New lists: drawn, nested, balanced."""

import numpy as np
import pytest

from fewmask.data import (
    Dataset,
)
from fewmask.data.lists.drawing import draw
from fewmask.errors import UserError


class Scenes(Dataset):
    """40 images; class 0 is everywhere, class 1 in every fourth, class 2 in two of them."""

    names = [f"scene_{i:02d}" for i in range(40)]

    def image(self, index):
        raise AssertionError("only masks are read")

    def mask(self, index):
        mask = np.zeros((4, 4), np.uint8)
        mask[0] = 1 if index % 4 == 0 else 0
        mask[1] = 2 if index in (17, 30) else 0
        mask[3] = 255
        return mask


@pytest.mark.parametrize("how", ["random", "balanced", "every"])
def test_smaller_lists_lie_inside_larger_ones(how):
    lists = draw(Scenes(), ["1/16", "1/8", "10"], how, seed=3)
    assert [len(names) for names in lists.values()] == [3, 5, 10]
    small, middle, large = map(set, lists.values())
    assert small < middle < large
    assert lists == draw(Scenes(), ["1/16", "1/8", "10"], how, seed=3)
    assert lists != draw(Scenes(), ["1/16", "1/8", "10"], how, seed=4)


def test_balanced_lists_hold_rare_classes():
    for seed in range(10):
        (names,) = draw(Scenes(), ["4"], "balanced", seed).values()
        numbers = {int(name[-2:]) for name in names}
        assert numbers & {17, 30} and any(n % 4 == 0 for n in numbers)


def test_every_takes_equal_distances():
    (names,) = draw(Scenes(), ["10"], "every", seed=0).values()
    gaps = np.diff(sorted(int(name[-2:]) for name in names))
    assert set(gaps) == {4}
    small, large = draw(Scenes(), ["3", "9"], "every", seed=2).values()
    assert set(small) < set(large)
    assert set(np.diff(sorted(int(name[-2:]) for name in large))) <= {4, 5}
    assert min(np.diff(sorted(int(name[-2:]) for name in small))) >= 12


@pytest.mark.parametrize("size", ["0", "41", "many", "1/0", "-1", "3/2", "1.5", ""])
def test_impossible_sizes(size):
    with pytest.raises(UserError, match="is not a size|more than the 40"):
        draw(Scenes(), [size], "random", seed=0)
