"""Resizing with corners aligned, whole and in strips, and its gradient."""

import pytest
import torch

from fewmask.parts import resizing
from fewmask.parts.resizing import narrow, resize, strips, widen
from tests.parts.conftest import SHAPES


def test_corners_stay_where_they_are():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    large = resize(x, (5, 9))
    assert large[0, 0, 0, 0] == 0 and large[0, 0, -1, -1] == 5
    assert large[0, 0, 0].tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2])


def test_the_same_size_is_the_same_tensor():
    x = torch.randn(1, 2, 3, 4)
    assert resize(x, (3, 4)) is x


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_columns_are_widened_as_the_whole_is(shape, size):
    x = torch.randn(shape)
    torch.testing.assert_close(widen(x, size[1]), resize(x, (shape[2], size[1])))


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_narrowing_is_the_gradient_of_widening(shape, size):
    x = torch.randn(shape, requires_grad=True)
    upstream = torch.randn(*shape[:3], size[1])
    (expected,) = torch.autograd.grad(resize(x, (shape[2], size[1])), x, upstream)
    torch.testing.assert_close(narrow(upstream, shape[3]), expected)


def test_strips_cover_every_row_once(monkeypatch):
    monkeypatch.setitem(resizing.STRIP, "cpu", 2 * 3 * 20 * 4)
    wide = torch.randn(2, 3, 9, 20)
    found = list(strips(wide, 33))
    assert [row for s in found for row in range(s.rows.start, s.rows.stop)] == list(range(33))
    assert len(found) == 9
    enlarged = torch.cat([s.of(wide) for s in found], dim=2)
    torch.testing.assert_close(enlarged, resize(wide, (33, 20)))
