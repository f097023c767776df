"""Labels and confidences of logits, computed strip by strip, are those of the plain formulas."""

import math

import pytest
import torch

from fewmask.batch import IGNORE
from fewmask.parts.pseudo_labels import (
    PseudoLabel,
    agreement,
    certainty,
    keep_confident,
    most_probable,
    nan_quantile,
    pseudo_label,
    sharpen,
    surest,
)
from fewmask.parts.resizing import resize
from tests.parts.conftest import SHAPES


@pytest.mark.usefixtures("strip_size")
@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_labels_and_confidences_are_those_of_the_plain_formula(shape, size):
    torch.manual_seed(0)
    logits = 3 * torch.randn(shape)
    confidence, label = resize(logits, size).softmax(dim=1).max(dim=1)
    found = pseudo_label(logits, size=size)
    torch.testing.assert_close(found.confidence, confidence, rtol=1e-5, atol=1e-6)
    assert torch.equal(found.label, label)
    assert torch.equal(most_probable(logits, size), label)


def test_of_equal_logits_the_first_class_is_taken():
    logits = torch.zeros(1, 4, 3, 3)
    logits[:, 2:] = 1
    assert (most_probable(logits, (9, 9)) == 2).all()
    assert (pseudo_label(logits).label == 2).all()


def test_padding_gets_no_label():
    valid = torch.ones(1, 9, 9, dtype=torch.bool)
    valid[:, 6:] = False
    label = pseudo_label(torch.randn(1, 4, 3, 3), valid).label
    assert (label[:, 6:] == IGNORE).all() and (label[:, :6] < 4).all()


def test_a_bad_pixel_stays_alone_where_nothing_is_resized():
    logits = torch.randn(1, 3, 70, 70)
    logits[0, 1, 5, 5] = torch.nan
    plain = most_probable(logits.nan_to_num(), (70, 70))
    found, sure = pseudo_label(logits)
    assert sure.isnan().sum() == 1 and (found != plain).sum() <= 1
    target = keep_confident(PseudoLabel(found, sure), 0.0).label
    assert target[0, 5, 5] == IGNORE and (target == IGNORE).sum() == 1


def test_sharpening_raises_the_largest_and_keeps_the_sum():
    probs = torch.tensor([[0.5, 0.3, 0.2]])
    squares = probs**2
    torch.testing.assert_close(sharpen(probs, 0.5), squares / squares.sum())
    torch.testing.assert_close(sharpen(probs, 1.0), probs)


def test_labels_below_the_threshold_are_dropped():
    pseudo = PseudoLabel(torch.tensor([[[0, 1, 2]]]), torch.tensor([[[0.5, 0.9, torch.nan]]]))
    assert keep_confident(pseudo, 0.9).label.tolist() == [[[IGNORE, 1, IGNORE]]]


def test_agreement_of_two_opinions_over_valid_pixels():
    """Three pixels of two classes, of which the last is padding."""
    first = torch.tensor([[[[1.0, 0, 1]], [[0.0, 1, 0]]]])  # [1, 2, 1, 3]: labels 0, 1, 0
    second = torch.tensor([[[[2.0, 2, 2]], [[0.0, 0, 0]]]])  # labels 0, 0, 0
    target = torch.tensor([[[[0.5, 1.0, 0.5]], [[0.5, 0.0, 0.5]]]])
    found = agreement(first, second, target, torch.tensor([[[True, True, False]]]))
    assert found["fusion_agreement"].item() == 0.5
    assert found["fusion_entropy"].item() == pytest.approx(math.log(2) / 2, abs=1e-6)


def test_the_surest_pixels_are_above_the_percentile_of_the_labeled_ones():
    label = torch.tensor([[[0, 1, 2], [0, 255, 0]]])
    confidence = torch.tensor([[[0.5, 0.6, 0.7], [0.8, 0.1, 0.9]]])
    pseudo = PseudoLabel(label, confidence)
    kept, cut = surest(pseudo, 50)
    assert cut.item() == pytest.approx(0.7)
    assert kept.tolist() == [[[False, False, False], [True, False, True]]]
    assert torch.equal(surest(pseudo, 100)[0], label != 255)
    assert not surest(pseudo, 0)[0].any()
    assert not surest(pseudo._replace(label=torch.full_like(label, 255)), 80)[0].any()


@pytest.mark.parametrize("count", [1, 2, 10, 1001])
@pytest.mark.parametrize("q", [0, 0.2, 0.5, 0.999, 1])
def test_the_quantile_is_torch_s_and_has_no_limit(count, q):
    torch.manual_seed(count)
    values = torch.rand(count)
    values[torch.rand(count) < 0.3] = torch.nan
    torch.testing.assert_close(nan_quantile(values, q), values.nanquantile(q), equal_nan=True)


def test_the_quantile_of_a_large_batch():
    assert nan_quantile(torch.ones(2**24 + 1), 0.8) == 1


CERTAIN = ((0.9, 0.05, 0.05), (0.5, 0.3, 0.2), (0.34, 0.33, 0.33), (1, 1e-30, 1e-30))


def test_certainty_of_an_image_is_the_mean_of_its_pixels():
    """Numbers of AugSeg's released lines."""
    logits = torch.tensor(CERTAIN).log()[:, :, None, None]  # one pixel per image
    expected = torch.tensor([0.576903, 0.031385, 0.000031, 1.0])
    torch.testing.assert_close(certainty(logits, (1, 1)), expected, atol=1e-6, rtol=0)
    image = logits.squeeze().T.reshape(1, 3, 2, 2)
    assert certainty(image, (2, 2)).item() == pytest.approx(0.402080, abs=1e-6)


def test_certainty_is_that_of_enlarged_logits():
    torch.manual_seed(0)
    logits = 3 * torch.randn(2, 5, 9, 9)
    probs = resize(logits, (70, 60)).softmax(1)
    entropy = -(probs * probs.log()).sum(1) / math.log(5)
    expected = (probs.amax(1) * (1 - entropy)).mean((1, 2))
    torch.testing.assert_close(certainty(logits, (70, 60)), expected, atol=1e-5, rtol=0)
