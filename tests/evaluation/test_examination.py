"""Calibration, borders, image by image: numbers checked by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from fewmask.evaluation import EvaluationConfig, evaluate
from fewmask.evaluation.examination import BINS, examine
from fewmask.models import Output


class Says(nn.Module):
    """Predicts class 1 on the left half with 80 % confidence, class 0 elsewhere with 60 %."""

    def forward(self, image):
        p = torch.full((1, 1, *image.shape[-2:]), 0.4)
        p[..., : image.shape[-1] // 2] = 0.8
        return Output(torch.cat([1 - p, p], 1).log(), image, None)


class OneImage:
    names = ("a",)

    def __init__(self, mask):
        self.truth = mask

    def __len__(self):
        return 1

    def image(self, index):
        return np.zeros((*self.truth.shape, 3), np.uint8)

    def mask(self, index):
        return self.truth


def test_confidence_and_accuracy_by_bin():
    truth = np.zeros((10, 20), np.uint8)
    truth[:, :5] = 1  # half of the left half is right
    truth[0] = 255
    found = examine(Says(), OneImage(truth), 2, EvaluationConfig())
    left, right = int(0.8 * BINS), int(0.6 * BINS)
    assert found.pixels.sum() == 180 and found.pixels[left] == 90 and found.pixels[right] == 90
    assert found.confidence[left] == pytest.approx(0.8, abs=1e-6)
    assert found.accuracy[left] == pytest.approx(0.5) and found.accuracy[right] == 1
    assert found.calibration_error == pytest.approx(100 * (0.3 + 0.4) / 2, abs=1e-4)


def test_scores_are_those_of_evaluate():
    truth = np.random.default_rng(0).integers(0, 2, (12, 16)).astype(np.uint8)
    found, scores = (f(Says(), OneImage(truth), 2, EvaluationConfig()) for f in (examine, evaluate))
    assert found.scores.miou == scores.miou and found.image_miou == pytest.approx([scores.miou])


def test_a_right_region_with_a_wrong_border_costs_border_iou():
    truth = np.zeros((100, 100), np.uint8)
    truth[:, :50] = 1
    perfect = examine(Says(), OneImage(truth), 2, EvaluationConfig())
    assert perfect.boundary_iou == pytest.approx(100)
    truth[:, 48:50] = 0  # the border lies two pixels further
    shifted = examine(Says(), OneImage(truth), 2, EvaluationConfig())
    assert shifted.scores.miou > 95 > 80 > shifted.boundary_iou > 30
