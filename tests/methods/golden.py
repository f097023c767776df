"""Whole steps of a method beside a plain transcription of its paper, both in float64."""

import copy
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.batch import IGNORE
from fewmask.models import Segmenter, create_model
from tests.conftest import TINY

LR = 0.02


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything is float64, also what methods compute in float32, whatever the precision."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def network(aux_head: bool) -> Segmenter:
    """A tiny network whose running statistics fit images, and whose logits differ."""
    torch.manual_seed(0)
    made = create_model(TINY.model_copy(update={"aux_head": aux_head}), num_classes=3).double()
    with torch.no_grad():
        made.head[-1].weight.mul_(10)
        for _ in range(20):
            made(torch.randn(4, 3, 33, 33))
    return made


def full_size(logits: Tensor) -> Tensor:
    """Logits at the size of the images, 33 x 33."""
    return F.interpolate(logits, (33, 33), mode="bilinear", align_corners=True)


def mean_cross_entropy(logits: Tensor, mask: Tensor) -> Tensor:
    """Over the labeled pixels, one by one."""
    return (
        (-full_size(logits).log_softmax(1).permute(0, 2, 3, 1)[mask != IGNORE])
        .gather(1, mask[mask != IGNORE].unsqueeze(1))
        .mean()
    )


def hard(logits: Tensor, mask: Tensor, threshold: float, min_kept: int) -> Tensor:
    """OHEM: the mask with 255 at easy pixels; at least `min_kept` stay."""
    probs = full_size(logits.detach()).softmax(1)
    image, row, column = (mask != IGNORE).nonzero(as_tuple=True)
    true = probs[image, mask[image, row, column], row, column]
    if min_kept == 0 or len(true) < min_kept:
        return mask
    cut = max(threshold, sorted(true.tolist())[min_kept - 1])
    kept = torch.full_like(mask, IGNORE)
    for i, p in enumerate(true.tolist()):
        if p <= cut:
            kept[image[i], row[i], column[i]] = mask[image[i], row[i], column[i]]
    return kept


def supervised(logits: Tensor, aux_logits: Tensor | None, mask: Tensor, is_ohem: bool) -> Tensor:
    """Cross-entropy or OHEM (0.4, 500) of the head, and 0.4 times that of the auxiliary one."""
    loss = torch.zeros(())
    for each, weight in ((logits, 1.0), (aux_logits, 0.4)):
        if each is not None:
            target = hard(each, mask, 0.4, 500) if is_ohem else mask
            loss = loss + weight * mean_cross_entropy(each, target)
    return loss


def descend(loss: Tensor, *networks: nn.Module) -> None:
    """Plain gradient descent."""
    weights = [p for net in networks for p in net.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    with torch.no_grad():
        for p, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                p -= LR * gradient


def assert_equal(found: nn.Module, expected: nn.Module) -> None:
    """Parameters and buffers, BatchNorm's running statistics included."""
    ours, theirs = found.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys() and any("running_var" in key for key in ours)
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-9, atol=1e-9, msg=key)


def twin(net: nn.Module) -> nn.Module:
    """A copy that shares nothing."""
    return copy.deepcopy(net)
