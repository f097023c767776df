"""A step does not wait for its device, and everything it uses lies there.

Tensors on torch's device "meta" have shapes, but no numbers. So whatever depends on numbers there
(`.item()`, `if x:`, `x[mask]`, `bincount`: all that makes the host wait for a GPU) fails on it.
"""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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


class OneDevice(TorchDispatchMode):
    """Refuses operations between devices; some copy without a word, such as reading by index."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.ndim]
        assert len({x.device for x in given}) <= 1, f"{function} between devices"
        return function(*args, **(kwargs or {}))


@pytest.fixture(params=[True, False], ids=["classes known", "classes unknown"])
def elsewhere(request) -> Batch:
    """Photos as the loader gives them, moved as training moves them."""
    present = torch.ones(2, 3) > 0 if request.param else None
    image, mask = torch.zeros(2, 33, 33, 3, dtype=torch.uint8), torch.zeros(2, 33, 33).byte()
    unlabeled = Unlabeled(image, (image,), mask == 0, torch.tensor([4, 2]), present)
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
    with OneDevice():
        scalars = method.step(elsewhere, minimize, MID_TRAINING).by_name()
    assert {x.device.type for x in scalars.values()} == {"meta"}


@pytest.mark.parametrize(
    "read", [lambda x: float(x.sum()), lambda x: x[x > 0], lambda x: x.long().bincount()]
)
def test_a_read_is_noticed(read):
    with pytest.raises(RuntimeError, match="[Mm]eta"):
        read(torch.ones(3, device="meta"))


@pytest.mark.parametrize("mix", [lambda x: x + torch.ones(3), lambda x: x[torch.arange(2)]])
def test_what_lies_elsewhere_is_noticed(mix):
    with pytest.raises(AssertionError, match="between devices"), OneDevice():
        mix(torch.ones(3, device="meta"))
