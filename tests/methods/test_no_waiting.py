"""A step does not wait for the device: nothing that depends on the batch is read by the host."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from fewmask.batch import Batch
from fewmask.methods import METHODS
from fewmask.parts.losses import SupervisedLoss
from tests.conftest import MID_TRAINING, past_warm_up

READS = (
    torch.ops.aten._local_scalar_dense,  # .item(), float(x), `if x:`
    torch.ops.aten.nonzero,
    torch.ops.aten.masked_select,
    torch.ops.aten.equal,
)
BY_INDEX = (torch.ops.aten.index,)
"""Wait if the index is a mask: how many there are decides the size."""
KNOWN = {"imas": 1}
"""iMAS draws CutMix with the probability mean(h), and h is only known on the device."""


class Reads(TorchDispatchMode):
    """Notes what would make the host wait for a GPU.

    What follows from no tensor given from outside (a drawn box, say) is the host's own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.own, self.found = WeakTensorKeyDictionary(), []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if all(x in self.own for x in given):
            result = function(*args, **(kwargs or {}))
            self.own.update({x: True for x in tree_leaves(result) if isinstance(x, Tensor)})
            return result
        if function._schema.is_mutable:
            for x in given:
                self.own.pop(x, None)
        indices = args[1] if function.overloadpacket in BY_INDEX else []
        by_mask = any(x is not None and x.dtype == torch.bool for x in indices)
        if function.overloadpacket in READS or by_mask:
            self.found.append(str(function))
        return function(*args, **(kwargs or {}))


def minimize(loss: Tensor, over: nn.Module) -> bool:
    loss.backward(inputs=[p for p in over.parameters() if p.requires_grad])
    over.zero_grad()
    return True


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("loss", [{}, {"kind": "ohem"}, {"class_weights": (1.0, 2.0, 0.5)}])
def test_a_step_reads_nothing_back(student, batch: Batch, name: str, loss: dict):
    method = past_warm_up(name, student, supervised_loss=SupervisedLoss(**loss))
    method.step(batch, minimize, MID_TRAINING)  # what is made once is made now
    with Reads() as reads:
        method.step(batch, minimize, MID_TRAINING)
    assert len(reads.found) == KNOWN.get(name, 0), reads.found


def test_a_read_is_noticed():
    x = torch.ones(3)
    with Reads() as reads:
        int(torch.randint(5, ()))
        assert reads.found == []
        float(x.sum())
        x[x > 0]
    assert len(reads.found) >= 2
