"""The loss, computed strip by strip, is that of the plain formula."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fewmask.batch import IGNORE
from fewmask.parts.pixel_loss import pixel_cross_entropy, pixel_squared_difference
from fewmask.parts.resizing import resize
from tests.parts.conftest import SHAPES


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


def plain_difference(logits, target, pasted, boxes, weight) -> Tensor:
    student, base, other = (resize(x, boxes.shape[-2:]) for x in (logits, target, pasted))
    wanted = torch.where(boxes[:, None], other, base).softmax(1)
    return ((student.softmax(1) - wanted).square().sum(1) * weight).sum((1, 2))


@pytest.mark.usefixtures("strip_size")
@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_the_squared_difference_is_that_of_the_plain_formula(shape, size):
    torch.manual_seed(0)
    logits, *targets = 5 * torch.randn(3, *shape)
    logits.requires_grad_()
    boxes, weight = torch.rand(shape[0], *size) < 0.4, torch.rand(shape[0], *size)
    upstream = torch.rand(shape[0])
    given = (logits, *targets, boxes, weight)
    found, expected = pixel_squared_difference(*given), plain_difference(*given)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    gradients = [torch.autograd.grad((upstream * x).sum(), logits)[0] for x in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)
