"""Losses and labels strip by strip are those of the plain formulas."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fewmask.batch import IGNORE
from fewmask.parts import resizing
from fewmask.parts.pixel_loss import pixel_cross_entropy
from fewmask.parts.pseudo_labels import PseudoLabel, keep_confident, most_probable, pseudo_label
from fewmask.parts.resizing import resize, strips

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


def plain(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    large = resize(logits, target.shape[-2:])
    loss = F.cross_entropy(large, target, ignore_index=IGNORE, reduction="none")
    return (loss * weight).sum((1, 2))


@pytest.mark.usefixtures("strip_size")
@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_loss_and_gradient_are_those_of_the_plain_formula(shape, size):
    torch.manual_seed(0)
    logits = (5 * torch.randn(shape)).requires_grad_()
    target = torch.randint(0, shape[1], (shape[0], *size))
    target[torch.rand(target.shape) < 0.3] = IGNORE
    weight, upstream = torch.rand(target.shape), torch.rand(shape[0])
    found, expected = pixel_cross_entropy(logits, target, weight), plain(logits, target, weight)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    gradients = [torch.autograd.grad((upstream * x).sum(), logits)[0] for x in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 3, 4)
    target = torch.randint(0, 3, (1, 9, 13))
    target[:, :2] = IGNORE
    given = logits.clone().requires_grad_()
    pixel_cross_entropy(given, target).sum().backward()
    for place in ((0, 0, 0, 0), (0, 2, 1, 3), (0, 1, 2, 2)):
        moved = [logits.double().clone() for _ in range(2)]
        for x, by in zip(moved, (1e-4, -1e-4), strict=True):
            x[place] += by
        high, low = (plain(x, target, torch.ones(target.shape).double()).sum() for x in moved)
        assert given.grad[place].item() == pytest.approx(float(high - low) / 2e-4, abs=1e-4)


def test_nothing_labeled_is_no_loss_and_no_gradient():
    logits = torch.randn(2, 3, 5, 5, requires_grad=True)
    loss = pixel_cross_entropy(logits, torch.full((2, 17, 17), IGNORE))
    loss.sum().backward()
    assert loss.tolist() == [0, 0] and logits.grad.abs().max() == 0


def test_a_bad_pixel_stays_alone_where_nothing_is_resized():
    logits = torch.randn(1, 3, 70, 70)
    logits[0, 1, 5, 5] = torch.nan
    plain = most_probable(logits.nan_to_num(), (70, 70))
    found, sure = pseudo_label(logits)
    assert sure.isnan().sum() == 1 and (found != plain).sum() <= 1
    target = keep_confident(PseudoLabel(found, sure), 0.0).label
    assert target[0, 5, 5] == IGNORE and (target == IGNORE).sum() == 1


def test_without_gradients_none_is_worked_out():
    logits, target = torch.randn(1, 3, 5, 5, requires_grad=True), torch.randint(0, 3, (1, 9, 9))
    expected = pixel_cross_entropy(logits, target)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            assert torch.equal(pixel_cross_entropy(logits, target), expected)


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[[[1e4]], [[-1e4]]]], requires_grad=True)
    target = torch.tensor([[[1]]])
    loss = pixel_cross_entropy(logits, target)
    loss.sum().backward()
    assert loss.item() == pytest.approx(2e4) and logits.grad.flatten().tolist() == [1, -1]


def test_half_precision_goes_in_and_comes_back():
    logits = torch.randn(1, 3, 5, 5, dtype=torch.bfloat16, requires_grad=True)
    target = torch.randint(0, 3, (1, 17, 17))
    with torch.autocast("cpu", torch.bfloat16):
        loss = pixel_cross_entropy(logits, target)
    loss.sum().backward()
    expected = plain(logits.detach().float(), target, torch.ones(target.shape))
    torch.testing.assert_close(loss, expected)  # computed in float
    assert logits.grad.dtype == torch.bfloat16


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


def test_strips_cover_every_row_once(monkeypatch):
    monkeypatch.setitem(resizing.STRIP, "cpu", 2 * 3 * 20 * 4)
    wide = torch.randn(2, 3, 9, 20)
    found = list(strips(wide, 33))
    assert [row for s in found for row in range(s.rows.start, s.rows.stop)] == list(range(33))
    assert len(found) == 9
    enlarged = torch.cat([s.of(wide) for s in found], dim=2)
    torch.testing.assert_close(enlarged, resize(wide, (33, 20)))
