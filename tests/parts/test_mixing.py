"""CutMix: golden numbers are from the official iMAS functions run on a CPU."""

import pytest
import torch

from fewmask.batch import Labeled
from fewmask.parts import mixing
from fewmask.parts.boxes import boxes_at, random_boxes, rectangle
from fewmask.parts.mixing import (
    easy_hard_partners,
    label_aided_cutmix,
    mirrored_partners,
    paste,
    paste_aided,
)
from fewmask.parts.pseudo_labels import PseudoLabel


@pytest.mark.parametrize(
    ("easiness", "partners"),
    [
        ([0.2, 0.9, 0.5, 0.7], [1, 0, 3, 2]),
        ([0.5, 0.5, 0.5, 0.5], [3, 2, 1, 0]),
        ([0.3, 0.1, 0.2], [1, 0, 2]),
        ([0.6, 0.4], [1, 0]),
        ([0.9, 0.1, 0.8, 0.2, 0.5], [1, 0, 3, 2, 4]),
    ],
)
def test_easy_images_meet_hard_ones(easiness, partners):
    assert easy_hard_partners(torch.tensor(easiness)).tolist() == partners


def test_boxes_and_paste():
    boxes = boxes_at(torch.tensor([13, 6, 1, 4]), torch.tensor([12, 4, 8, 10]), (12, 12), 16, 16)
    assert boxes.sum((1, 2)).tolist() == [90, 120, 84, 120]
    assert boxes[0, 7:, 6:].all() and boxes[2, :7, 2:14].all()
    labels = torch.arange(4).view(4, 1, 1).expand(4, 16, 16)
    mixed = paste(labels, torch.tensor([1, 0, 3, 2]), boxes)
    counts = [torch.bincount(m.flatten(), minlength=4).tolist() for m in mixed]
    assert counts == [[166, 90, 0, 0], [120, 136, 0, 0], [0, 0, 172, 84], [0, 0, 120, 136]]


def test_images_and_labels_are_cut_at_the_same_place():
    images = torch.rand(3, 2, 9, 9)
    boxes = random_boxes(3, 9, 9, (0.3, 0.6))
    partner = torch.tensor([2, 1, 0])
    mixed = paste(images, partner, boxes)
    for i in range(3):
        assert torch.equal(mixed[i][:, boxes[i]], images[partner[i]][:, boxes[i]])
        assert torch.equal(mixed[i][:, ~boxes[i]], images[i][:, ~boxes[i]])


@pytest.mark.parametrize(("count", "partners"), [(4, [3, 2, 1, 0]), (5, [4, 3, 2, 1, 0]), (1, [0])])
def test_mirrored_partners_are_each_others(count, partners):
    assert mirrored_partners(torch.zeros(count, 3, 2, 2)).tolist() == partners


def test_equal_scores_keep_their_order_in_large_batches_too():
    """Short lists are sorted stably by any sort; long ones by a stable one only."""
    assert easy_hard_partners(torch.full((500,), 0.5)).tolist() == [*reversed(range(500))]
    halves = torch.tensor([0.7, 0.2]).repeat(200)
    order = [*range(1, 400, 2), *range(0, 400, 2)]  # the hard ones first, each in their order
    partner = easy_hard_partners(halves).tolist()
    assert [partner[i] for i in order] == order[::-1]


def filled(*values: float) -> torch.Tensor:
    """Images of 4 x 4 pixels, each of one value."""
    return torch.tensor(values).view(-1, 1, 1).expand(-1, 4, 4).clone()


def squares(*ranges: tuple[int, int]) -> torch.Tensor:
    return torch.stack([rectangle(a, a, b - a, b - a, 4, 4) for a, b in ranges])


def test_labeled_pixels_arrive_where_both_boxes_meet():
    """Numbers of AugSeg's released lines; the copy of image 0 alone gets labels."""
    label_boxes, boxes = squares((0, 2), (1, 4)), squares((1, 4), (0, 3))
    label_boxes[1] = False
    partner = torch.tensor([1, 0])

    def mixed(x, labeled):
        return paste_aided(x, labeled, partner, label_boxes, boxes).tolist()

    first, second = mixed(filled(10.0, 20.0), filled(100.0, 200.0))
    assert first == [[10] * 4, *[[10, 20, 20, 20]] * 3]
    assert second == [*[[200, 200, 10, 20]] * 2, [10, 10, 10, 20], [20] * 4]
    _, labels = mixed(filled(1, 2), filled(11, 12))
    assert labels == [*[[12, 12, 1, 2]] * 2, [1, 1, 1, 2], [2] * 4]
    _, sure = mixed(filled(0.9, 0.8), filled(1.0, 1.0))
    expected = [*[[1, 1, 0.9, 0.8]] * 2, [0.9, 0.9, 0.9, 0.8], [0.8] * 4]
    assert torch.allclose(torch.tensor(sure), torch.tensor(expected))


def aided(certainty: list[float], count_l: int = 2) -> torch.Tensor:
    """The share of labeled pixels in each image, over many draws."""
    count = len(certainty)
    images = torch.zeros(count, 3, 32, 32)
    pseudo = PseudoLabel(images[:, 0].long(), images[:, 0])
    mask = torch.ones(count_l, 32, 32, dtype=torch.int64)
    labeled = Labeled(torch.ones(count_l, 3, 32, 32), mask)
    shares = []
    for _ in range(400):
        mixed, (label, sure) = label_aided_cutmix(images, pseudo, labeled, torch.tensor(certainty))
        assert torch.equal(mixed[:, 0], label.float()) and torch.equal(label.float(), sure)
        shares.append(label.float().mean((1, 2)))
    return torch.stack(shares).mean(0)


def test_images_that_are_sure_pass_on_no_labels():
    torch.manual_seed(0)
    assert (aided([1.0, 1.0, 1.0]) == 0).all()
    none, half = aided([0.0] * 3).mean().item(), aided([0.5] * 3).mean().item()
    assert half == pytest.approx(none / 2, rel=0.25) and 0.03 < none < 0.15


def test_any_number_of_labeled_images_helps():
    torch.manual_seed(0)
    assert (aided([0.0] * 3, count_l=1) > 0).all() and (aided([0.0], count_l=4) > 0).all()


def test_boxes_of_a_fifth_and_of_a_half(monkeypatch):
    """Before the border cuts something off; centers keep an eighth from top and left."""
    drawn = []

    def watched(count, height, width, side_range, margin):
        drawn.append((side_range[0], margin))
        return random_boxes(count, height, width, side_range, margin)

    monkeypatch.setattr(mixing, "random_boxes", watched)
    torch.manual_seed(0)
    aided([0.0] * 2)
    areas = torch.tensor([side**2 for side, _ in drawn]).view(-1, 2)
    assert areas.mean(0).tolist() == pytest.approx([0.2, 0.5], abs=0.02)
    assert areas.std(0).tolist() == pytest.approx([0.1206, 0.1667], abs=0.015)
    assert {margin for _, margin in drawn} == {1 / 8}
    boxes = boxes_at(torch.tensor([14, 7]), torch.tensor([2, 5]), (8, 8), 16, 16)  # side .5
    assert boxes[0, 10:, :6].all() and boxes[1, 3:11, 1:9].all()
    assert boxes.sum((1, 2)).tolist() == [36, 64]
