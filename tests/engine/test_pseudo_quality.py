"""What pseudo-labels are said to be worth is what they are worth."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from fewmask.batch import IGNORE, IMAGENET, Batch, Labeled, Unlabeled
from fewmask.engine.pseudo_quality import BATCHES, pseudo_quality
from fewmask.methods.supervised import Supervised
from fewmask.parts.pseudo_labels import PseudoLabel


class Says(nn.Module):
    """Claims fixed labels with fixed confidence, and counts its calls in a buffer."""

    def __init__(self, label, confidence):
        super().__init__()
        self.label, self.confidence = label, confidence
        self.student = SimpleNamespace(normalization=IMAGENET)
        self.register_buffer("calls", torch.zeros(()))

    def pseudo_labels(self, weak, valid):
        self.calls += 1
        return PseudoLabel(self.label.masked_fill(~valid, IGNORE), self.confidence)


def stream(mask):
    image = torch.zeros(*mask.shape, 3, dtype=torch.uint8)
    valid = torch.ones(mask.shape, dtype=torch.bool)
    unlabeled = Unlabeled(image, (), valid, torch.zeros(len(mask)))
    return [Batch(Labeled(image, mask.to(torch.uint8)), unlabeled)] * BATCHES


def test_accuracy_calibration_and_shares():
    mask = torch.tensor([[[0, 1, 2, 255, 1, 0]]])
    label = torch.tensor([[[0, 1, 1, 0, 255, 2]]])  # used and labeled: right, right, wrong, wrong
    sure = torch.tensor([[[0.95, 0.95, 0.95, 0.5, 0.5, 0.55]]])
    method = Says(label, sure)
    found = pseudo_quality(method, stream(mask), 3, torch.device("cpu"))
    assert found.used == pytest.approx(4 / 5)
    assert found.accuracy == pytest.approx(2 / 4)
    assert found.confidence == pytest.approx((3 * 0.95 + 0.55) / 4)
    assert found.calibration_error == pytest.approx((3 * abs(0.95 - 2 / 3) + 0.55) / 4)
    assert np.allclose(found.shares, [2 / 5, 2 / 5, 1 / 5])  # of the unlabeled images: 255 is not
    assert method.calls == 0  # buffers are put back


def test_nothing_used_is_no_error():
    mask = torch.zeros(1, 2, 2, dtype=torch.long)
    method = Says(torch.full_like(mask, IGNORE), torch.zeros(1, 2, 2))
    found = pseudo_quality(method, stream(mask), 3, torch.device("cpu"))
    assert found.used == found.accuracy == 0 and found.shares.sum() == 0


def test_a_method_without_pseudo_labels_has_no_quality(student):
    method = Supervised(lambda: student, Supervised.Config(name="supervised"))
    mask = torch.zeros(1, 2, 2, dtype=torch.long)
    assert pseudo_quality(method, stream(mask), 3, torch.device("cpu")) is None
