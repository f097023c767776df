"""A step in several rounds is the step in one round: whatever moves does so once."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from fewmask.batch import Batch, Labeled, Progress, Unlabeled
from fewmask.config import find
from fewmask.engine.minimizer import Minimizer
from fewmask.engine.settings import TrainingConfig
from fewmask.methods import METHODS, Method
from tests.tiny import Pointwise

START = Progress(step=0, total_steps=3, steps_per_epoch=10)
OPTIONS = {
    # One point in each pixel, so that points are not random.
    "pcr": {"cells": 8, "threshold": 0.4, "warmup_epochs": 0, "ema_decay": 0.5},
    "fewmatch": {"alignment": 0.0},
    "fixmatch": {"threshold": 0.4, "ema_decay": 0.5},
}


def images(count: int) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 3, 8, 8).double(), torch.randint(0, 3, (count, 8, 8))


def eight_images() -> Batch:
    """Every pixel has a label and none is padding, so each round counts as many pixels."""
    torch.manual_seed(1)
    (x_l, y_l), (weak, _), (strong, _) = images(8), images(8), images(8)
    valid = torch.ones(8, 8, 8, dtype=torch.bool)
    return Batch(Labeled(x_l, y_l), Unlabeled(weak, (strong,), valid, torch.arange(8)))


def in_rounds(batch: Batch, rounds: int) -> list[Batch]:
    weak, (strong,), valid, index, _ = batch.unlabeled
    tensors = (*batch.labeled, weak, strong, valid, index)
    shares = zip(*(x.chunk(rounds) for x in tensors), strict=True)
    return [
        Batch(Labeled(x_l, y_l), Unlabeled(weak, (strong,), valid, index))
        for x_l, y_l, weak, strong, valid, index in shares
    ]


def trained(name: str, rounds: int, steps: int = 3, **options: float) -> Method:
    """A method after steps of so many rounds, taken by the engine's own minimizer."""
    torch.manual_seed(0)
    kind, batch = find(name, METHODS, "method"), eight_images()
    network = Pointwise()
    with torch.no_grad():
        network.head.weight.mul_(4)  # or it would be sure of nothing
    config = kind.Config(name=name, **{"cutmix_probability": 0.0} | OPTIONS[name] | options)
    method = kind(lambda: network, config)
    training = TrainingConfig(steps=3, schedule="constant", lr=0.05, accumulate=rounds)
    minimize = Minimizer(Fabric(accelerator="cpu", devices=1), method, training)
    for step in range(steps):
        progress = START._replace(step=step)
        minimize.begin(step)
        method.prepare([batch.labeled], progress)
        for i, share in enumerate(in_rounds(batch, rounds)):
            minimize.last_round = i == rounds - 1
            method.step(share, minimize, progress)
    return method


@pytest.mark.parametrize("rounds", [2, 4])
@pytest.mark.parametrize("name", ["pcr", "fixmatch"])
def test_rounds_change_nothing(name, rounds):
    """Student, teacher and prototypes."""
    torch.testing.assert_close(
        trained(name, rounds).state_dict(), trained(name, 1).state_dict(), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("rounds", [2, 4])
def test_running_thresholds_and_shares_move_once(rounds):
    """Whatever a round shows counts as a part of one batch, also where it is used at once."""
    one, several = (trained("fewmatch", number, steps=1) for number in (1, rounds))
    assert (one.thresholds.thresholds > 0).any()
    torch.testing.assert_close(several.thresholds.thresholds, one.thresholds.thresholds)
    # Without alignment the labels are those of the teacher, so they are the same in any round.
    one, several = (trained("fewmatch", n, steps=1, alignment=0.5) for n in (1, rounds))
    torch.testing.assert_close(several.alignment.state_dict(), one.alignment.state_dict())
