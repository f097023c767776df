"""Shared losses: golden numbers are from the official iMAS functions run on a CPU."""

import pytest
import torch

from fewmask.parts.losses import (
    SupervisedLoss,
    confident_cross_entropy,
    cross_entropy,
    dice,
    hard_pixels,
)
from tests.methods.test_imas import logits

PREDICTION = logits([[[0, 1], [1, 2]], [[0, 0], [1, 1]]], [[[2, 1], [3, 1]], [[1, 2], [1, 2]]], 3)
TARGET = torch.tensor([[[0, 1], [2, 2]], [[0, 1], [1, 255]]])
CONFIDENCE = torch.tensor([[[0.99, 0.96], [0.95, 0.50]], [[0.97, 0.99], [0.40, 0.99]]])


@pytest.mark.parametrize(
    ("threshold", "h", "expected"),
    [
        (0.95, (1, 1), 0.834613),
        (0.95, (0.5, 0.25), 0.330088),
        (0.95, (0, 1), 0.348874),
        (0.95, (0, 0), 0.0),
        (0.70, (1, 1), 0.834613),
        (0.999, (1, 1), 0.0),
    ],
)
def test_confident_cross_entropy(threshold, h, expected):
    per_image = confident_cross_entropy(PREDICTION, TARGET, CONFIDENCE, threshold)
    assert (torch.tensor(h) * per_image).mean().item() == pytest.approx(expected, abs=1e-6)


def test_gradient_of_confident_cross_entropy():
    prediction = PREDICTION.clone().requires_grad_()
    per_image = confident_cross_entropy(prediction, TARGET, CONFIDENCE, 0.95)
    (torch.tensor([0.5, 0.25]) * per_image).mean().backward()
    expected = torch.tensor(
        [
            [[-0.013313, 0.013246, 0.002830, 0], [0.006657, -0.026493, 0.056840, 0],
             [0.006657, 0.013246, -0.059670, 0]],
            [[-0.013246, 0.024593, 0, 0], [0.006623, -0.027922, 0, 0], [0.006623, 0.003328, 0, 0]],
        ]
    )  # fmt: skip
    torch.testing.assert_close(prediction.grad.flatten(2), expected, atol=1e-6, rtol=0)


def test_targets_are_left_as_they_were():
    target = TARGET.clone()
    confident_cross_entropy(PREDICTION, target, CONFIDENCE, 0.999)
    assert torch.equal(target, TARGET)


@pytest.mark.parametrize(
    ("min_kept", "expected"),
    [(0, 1.111399), (1, 1.256708), (2, 1.256708), (6, 1.256708), (7, 1.111399), (8, 1.111399)],
)
def test_ohem(min_kept, expected):
    kept = hard_pixels(PREDICTION, TARGET, 0.7, min_kept)
    assert cross_entropy(PREDICTION, kept).item() == pytest.approx(expected, abs=1e-6)


def test_supervised_loss_with_auxiliary_head():
    aux = 0.5 * PREDICTION
    assert SupervisedLoss()(PREDICTION, None, TARGET).item() == pytest.approx(1.111399, abs=1e-6)
    assert SupervisedLoss()(PREDICTION, aux, TARGET).item() == pytest.approx(1.519935, abs=1e-6)
    ohem = SupervisedLoss(kind="ohem", ohem_min_kept=2)
    assert ohem(PREDICTION, aux, TARGET).item() == pytest.approx(1.665244, abs=1e-6)


def test_a_batch_without_labels_has_loss_zero():
    assert cross_entropy(PREDICTION, torch.full_like(TARGET, 255)).item() == 0


def test_class_weights_give_a_weighted_mean():
    logits, mask = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    mask[0, 0] = 255
    weights = (1.0, 5.0, 0.5)
    expected = torch.nn.functional.cross_entropy(
        logits, mask, torch.tensor(weights), ignore_index=255
    )
    assert SupervisedLoss(class_weights=weights)(logits, None, mask) == pytest.approx(
        expected.item(), abs=1e-6
    )


def test_dice_of_known_predictions():
    mask = torch.tensor([[[0, 0, 1, 255]]])
    sure, wrong = (
        50.0 * torch.nn.functional.one_hot(torch.tensor([[labels]]), 3).permute(0, 3, 1, 2)
        for labels in ([0, 0, 1, 1], [0, 1, 1, 1])
    )
    assert dice(sure, mask).item() == pytest.approx(0, abs=1e-6)
    wrong = 50.0 * torch.nn.functional.one_hot(torch.tensor([[[0, 1, 1, 1]]]), 3).permute(
        0, 3, 1, 2
    )
    # class 0: 2 * 1 / (1 + 2); class 1: 2 * 1 / (2 + 1); class 2 is absent and left out
    assert dice(wrong, mask).item() == pytest.approx(1 / 3, abs=1e-6)
    assert dice(wrong, torch.full_like(mask, 255)).item() == 0
    loss = SupervisedLoss(dice_weight=2.0)(wrong, None, mask)
    plain = SupervisedLoss()(wrong, None, mask)
    assert (loss - plain).item() == pytest.approx(2 / 3, abs=1e-5)
