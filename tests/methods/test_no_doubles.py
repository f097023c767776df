"""A step gets by without float64, which Apple's GPUs lack."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fewmask.batch import Batch
from fewmask.engine import pseudo_quality
from fewmask.methods import METHODS, gta, imas
from fewmask.parts.precision import exact_float
from fewmask.parts.pseudo_labels import PseudoLabel
from tests.conftest import MID_TRAINING, past_warm_up
from tests.methods.test_no_waiting import minimize


class Doubles(TorchDispatchMode):
    """Notes what gives float64."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        result = function(*args, **(kwargs or {}))
        leaves = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        if any(x.dtype == torch.float64 for x in leaves):
            self.found.append(str(function))
        return result


@pytest.fixture(autouse=True)
def like_apple(monkeypatch):
    for module in (gta, imas, pseudo_quality):
        monkeypatch.setattr(module, "exact_float", lambda device: exact_float(torch.device("mps")))


@pytest.mark.parametrize("name", METHODS)
def test_a_step_needs_no_doubles(student, batch: Batch, name: str):
    method = past_warm_up(name, student)
    method.step(batch, minimize, MID_TRAINING)  # what is made once is made now, on the host
    with Doubles() as doubles:
        method.step(batch, minimize, MID_TRAINING)
    assert doubles.found == []


def test_the_calibration_needs_no_doubles():
    pseudo = PseudoLabel(torch.randint(0, 3, (2, 9, 9)), torch.rand(2, 9, 9))
    with Doubles() as doubles:
        counted = pseudo_quality._calibration(pseudo, torch.randint(0, 3, (2, 9, 9)))
    assert doubles.found == [] and counted[0].sum() == 162


def test_doubles_are_noticed():
    with Doubles() as doubles:
        torch.ones(3).double()
    assert doubles.found
