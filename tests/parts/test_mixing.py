"""CutMix: golden numbers are from the official iMAS functions run on a CPU."""

import pytest
import torch

from fewmask.parts.boxes import boxes_at, random_boxes
from fewmask.parts.mixing import easy_hard_partners, mirrored_partners, paste


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
