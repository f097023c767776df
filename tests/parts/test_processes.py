"""What several processes know of each other's tensors; alone, every function returns its input."""

import pytest
import torch
from lightning_fabric import Fabric

from fewmask.engine.launch import launch
from fewmask.engine.settings import MachineConfig
from fewmask.parts import processes


def test_alone_nothing_changes():
    x = torch.randn(4, 2, requires_grad=True)
    assert processes.rank() == 0 and processes.world_size() == 1
    for function in (processes.total, processes.gather):
        assert function(x) is x
    for function in (processes.mean, processes.own):
        assert torch.equal(function(x), x)
    processes.copy_from_first([x])
    processes.leave()


def told(fabric: Fabric) -> dict[str, object]:
    """What the second of two processes finds."""
    rank = processes.rank()
    x = torch.tensor([1.0 + rank, 10.0], requires_grad=True)
    (gradient,) = torch.autograd.grad((processes.total(x) * (1 + rank)).sum(), x)
    gathered = processes.gather(x.detach())
    copied = torch.full((1, 2, 2, 2), float(rank)).to(memory_format=torch.channels_last)
    processes.copy_from_first([copied])
    background = torch.tensor([1.0 + rank])
    wait = processes.SideChannel().start_total(background)
    wait()
    found = {
        "world": processes.world_size(),
        "total": processes.total(x).tolist(),
        "mean": processes.mean(x).tolist(),
        "gradient": gradient.tolist(),
        "gathered": gathered.tolist(),
        "own": processes.own(gathered).tolist(),
        "copied": copied.flatten().tolist(),
        "background": background.tolist(),
    }
    # The first process answers; it is told what the second one found where they differ.
    own_of_second = processes.gather(processes.own(gathered))[2:].tolist()
    copies = processes.gather(copied).flatten().tolist()
    return found | {"own of the second": own_of_second, "copies": copies}


@pytest.mark.slow
def test_two_processes_share_sums_and_tensors():
    found = launch(MachineConfig(devices=2, accelerator="cpu"), "fp32", told)
    assert found == {
        "world": 2,
        "total": [3, 20],
        "mean": [1.5, 10],
        "gradient": [3, 3],  # 1 from the first process, 2 from the second
        "gathered": [1, 10, 2, 10],
        "own": [1, 10],
        "copied": [0] * 8,
        "background": [3],
        "own of the second": [2, 10],
        "copies": [0] * 16,
    }
