"""Shapes of logits and images, and sizes of strips, on which results must not depend."""

import pytest

from fewmask.parts import resizing

SHAPES = [
    ((2, 5, 9, 12), (33, 45)),  # the usual: a quarter
    ((1, 3, 7, 5), (30, 18)),  # odd
    ((3, 2, 8, 8), (8, 8)),  # nothing to enlarge
    ((2, 4, 20, 31), (11, 9)),  # smaller
    ((1, 6, 1, 1), (13, 7)),
    ((2, 3, 4, 6), (1, 1)),
    ((2, 1, 5, 5), (17, 17)),  # one class
    ((1, 300, 3, 4), (9, 13)),  # more classes than fit into a byte
]


@pytest.fixture(params=[2**6, 2**12, 2**30], ids=["a row", "some rows", "everything"])
def strip_size(request, monkeypatch) -> None:
    monkeypatch.setitem(resizing.STRIP, "cpu", request.param)
