"""A step does not wait for its device, and everything it uses lies there.

Tensors on torch's device "meta" have shapes, but no numbers. So whatever depends on numbers there
(`.item()`, `if x:`, `x[mask]`, `bincount`: all that makes the host wait for a GPU) fails on it, as
does an operation between it and the CPU.
"""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from fewmask.batch import Batch, Labeled, Unlabeled, to_device
from fewmask.methods import METHODS, imas
from fewmask.models import create_model
from fewmask.parts import processes
from fewmask.parts.losses import SupervisedLoss
from tests.conftest import MID_TRAINING, TINY, past_warm_up


def minimize(loss: Tensor, over: nn.Module) -> bool:
    loss.backward(inputs=[p for p in over.parameters() if p.requires_grad])
    over.zero_grad()
    return True


@pytest.fixture
def elsewhere() -> Batch:
    """Photos as the loader gives them, moved as training moves them."""
    image, mask = torch.zeros(2, 33, 33, 3, dtype=torch.uint8), torch.zeros(2, 33, 33).byte()
    unlabeled = Unlabeled(image, (image,), mask == 0, torch.tensor([4, 2]), torch.ones(2, 3) > 0)
    return to_device(Batch(Labeled(image, mask), unlabeled), "meta")


@pytest.fixture
def mixes(monkeypatch):
    """iMAS draws CutMix with the probability mean(h), the one number a step reads."""
    known = SimpleNamespace(gather=processes.gather, mean=lambda h: torch.tensor(1.0))
    monkeypatch.setattr(imas, "processes", known)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("loss", [{}, {"kind": "ohem"}, {"class_weights": (1.0, 2.0, 0.5)}])
def test_a_step_reads_nothing_back(elsewhere: Batch, mixes, name: str, loss: dict):
    student = create_model(TINY.model_copy(update={"aux_head": True}), num_classes=3)
    method = past_warm_up(name, student, supervised_loss=SupervisedLoss(**loss)).to("meta")
    scalars = method.step(elsewhere, minimize, MID_TRAINING)
    assert {x.device.type for x in scalars.values()} == {"meta"}


@pytest.mark.parametrize(
    "read", [lambda x: float(x.sum()), lambda x: x[x > 0], lambda x: x + torch.ones(3)]
)
def test_a_read_is_noticed(read):
    with pytest.raises((RuntimeError, NotImplementedError)):
        read(torch.ones(3, device="meta"))
