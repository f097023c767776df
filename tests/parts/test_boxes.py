"""The laws that boxes are drawn by; those of `area_boxes` are from 4,000 draws of released code."""

import pytest
import torch
from torch import Tensor

from fewmask.parts.boxes import area_boxes, random_boxes, rectangle, toggled_boxes


def test_random_boxes_have_the_expected_share():
    torch.manual_seed(0)
    sides = torch.stack([random_boxes(1, 64, 64, (0.1, 0.9))[0].any(1).sum() for _ in range(400)])
    assert sides.min() >= 2 and sides.max() <= 58
    assert 0.3 < (sides / 64).float().mean() < 0.5  # nominal 0.5, less what the border cuts off


def sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of each box."""
    return boxes.any(2).sum(1), boxes.any(1).sum(1)


@pytest.fixture(scope="module")
def drawn() -> Tensor:
    torch.manual_seed(0)
    return area_boxes(4000, 128, 128, 0.5)


QUANTILES = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])


def test_half_of_the_images_get_a_box(drawn):
    assert drawn.any(2).any(1).float().mean().item() == pytest.approx(0.49, abs=0.03)


def test_areas_are_uniform(drawn):
    area = drawn[drawn.any(2).any(1)].float().mean((1, 2))
    assert area.mean().item() == pytest.approx(0.203, abs=0.01)
    expected = torch.tensor([0.035, 0.110, 0.203, 0.292, 0.377])
    # Both are samples: a quarter of 2,000 areas spreads by 0.004.
    torch.testing.assert_close(area.quantile(QUANTILES), expected, atol=0.02, rtol=0)


def test_most_boxes_are_tall(drawn):
    rows, columns = sides(drawn[drawn.any(2).any(1)])
    shape = columns / rows
    expected = torch.tensor([0.32, 0.46, 0.66, 1.04, 2.06])
    torch.testing.assert_close(shape.quantile(QUANTILES), expected, atol=0.02, rtol=0.1)


def test_a_box_is_a_whole_rectangle_inside_the_image(drawn):
    rows, columns = sides(drawn)
    assert torch.equal(rows * columns, drawn.sum((1, 2)))


@pytest.mark.parametrize(("probability", "count"), [(0, 0), (1, 20)])
def test_the_probability_of_a_box(probability, count):
    assert area_boxes(20, 32, 32, probability).any(2).any(1).sum() == count


def test_boxes_of_a_flat_image_are_flat():
    torch.manual_seed(0)
    boxes = area_boxes(500, 16, 512, 1, area_range=(0.3, 0.4))
    assert boxes.float().mean().item() == pytest.approx(0.34, abs=0.03)


def test_toggled_boxes_cover_a_quarter():
    """Quantiles of 2,000 draws of released code."""
    torch.manual_seed(0)
    share = toggled_boxes(2000, 128, 128).float().mean((1, 2))
    assert share.mean().item() == pytest.approx(0.252, abs=0.006)
    expected = torch.tensor([0.144, 0.197, 0.245, 0.305, 0.374])
    torch.testing.assert_close(share.quantile(QUANTILES), expected, atol=0.01, rtol=0)


def test_where_two_boxes_overlap_there_is_none(monkeypatch):
    """Boxes of a run of released code: top, left, height, width in 12 x 12 pixels."""
    boxes = [(4, 7, 5, 4), (1, 1, 3, 6), (0, 4, 3, 7), (5, 7, 5, 4), (9, 5, 3, 6), (4, 5, 4, 5)]
    given = iter(boxes)

    def known(*unused: int) -> Tensor:
        return rectangle(*next(given), 12, 12)

    monkeypatch.setattr("fewmask.parts.boxes.rectangle", known)
    first, second = toggled_boxes(2, 12, 12)
    assert (first.sum(), second.sum()) == (47, 32)
    rows = ["".join(str(int(x)) for x in first[row]) for row in (1, 3)]
    assert rows == ["011100011110", "011111100000"]


@pytest.mark.parametrize("size", [(128, 128), (40, 90), (1, 3)])
def test_a_single_toggled_box_has_an_area_in_its_range_and_lies_inside(size):
    torch.manual_seed(0)
    boxes = toggled_boxes(300, *size, boxes=1)
    rows, columns = sides(boxes)
    assert torch.equal(rows * columns, boxes.sum((1, 2)))
    if min(size) > 30:
        area = boxes.float().mean((1, 2))
        assert area.min() > 0.23 and area.max() < 0.52
        assert boxes[:, 0].any() and boxes[:, -1].any() and boxes[:, :, -1].any()
