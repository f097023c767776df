"""Gradients averaged over processes: order, missing gradients, accumulation, calls in parts."""

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from fewmask.engine import gradient_averaging
from fewmask.engine.gradient_averaging import GradientAverage
from fewmask.engine.launch import launch
from fewmask.engine.settings import MachineConfig
from fewmask.parts import processes

TWO = MachineConfig(devices=2, accelerator="cpu")


def network() -> nn.ModuleList:
    """Four layers, each in a bucket of its own, some in channels-last memory."""
    torch.manual_seed(0)
    gradient_averaging.BUCKET = 1
    layers = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1) for _ in range(4)])
    return layers.to(memory_format=torch.channels_last)


def gradients(fabric: Fabric, case: str) -> list[np.ndarray | None]:
    """Of the first process, after backward passes of which each process does its own."""
    layers, rank = network(), fabric.global_rank
    parameters = [*layers.parameters()]
    average = GradientAverage(parameters)
    x = torch.full((1, 3, 5, 5), 1.0 + rank)
    if case == "accumulated":
        sum(layer(x).sum() for layer in layers).backward(inputs=parameters)
    used = {"some": [0, 3], "differing": [0, 1 + rank]}.get(case, [0, 1, 2, 3])
    with average.of_backward():
        loss = sum(layers[i](x).square().sum() for i in used)
        if case == "ordered":  # each process reaches the layers in an order of its own
            loss = sum(layers[i](x).square().sum() for i in (used if rank else used[::-1]))
        loss.backward(inputs=parameters)
    return [None if p.grad is None else p.grad.numpy() for p in parameters]


def expected(case: str) -> list[np.ndarray | None]:
    """The mean over processes, worked out in one."""
    total: list[torch.Tensor | None] = []
    for rank in range(2):
        layers = network()
        x = torch.full((1, 3, 5, 5), 1.0 + rank)
        used = {"some": [0, 3], "differing": [0, 1 + rank]}.get(case, [0, 1, 2, 3])
        loss = sum(layers[i](x).square().sum() for i in used)
        if case == "accumulated":
            loss = loss + sum(layer(x).sum() for layer in layers)
        loss.backward()
        own = [None if p.grad is None else p.grad / 2 for p in layers.parameters()]
        pairs = zip(total or [None] * len(own), own, strict=True)
        total = [b if a is None else a if b is None else a + b for a, b in pairs]
    return [None if x is None else x.numpy() for x in total]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["all", "ordered", "accumulated", "some", "differing"])
def test_gradients_are_the_mean_of_all_processes(case):
    """With `some`, two layers have no gradient anywhere; with `differing`, in one process each."""
    found = launch(TWO, "fp32", gradients, case)
    for a, b in zip(found, expected(case), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-5)


class OneProcess:
    """A channel to nobody, which counts its messages."""

    def __init__(self):
        self.messages = 0

    def start_total(self, x):
        self.messages += 1
        return lambda: None


def test_nothing_is_sent_before_the_last_round(monkeypatch):
    """Gradients add up until then: an earlier message would hold a part of them only."""
    monkeypatch.setattr(processes, "SideChannel", OneProcess)
    parameters = [*network().parameters()]
    average = GradientAverage(parameters)
    sum(p.sum() for p in parameters).backward()
    assert average.channel.messages == 0
    with average.of_backward():
        sum(p.sum() for p in parameters).backward()
    assert average.channel.messages == len(average.buckets)
