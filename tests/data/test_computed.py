"""Sequences that compute their items."""

import pytest

from fewmask.data.computed import Computed


class Squares(Computed[int]):
    def __len__(self):
        return 5

    def item(self, index):
        return index**2


def test_positions_slices_and_negative_positions():
    squares = Squares()
    assert list(squares) == [0, 1, 4, 9, 16] and squares[-1] == 16
    assert squares[1:3] == [1, 4] and squares[::-2] == [16, 4, 0] and 9 in squares
    with pytest.raises(IndexError):
        squares[5]
