"""Parameter groups and learning-rate schedules."""

import math

import pytest

from fewmask.engine.optimizers import lr_factor, make_optimizer
from fewmask.engine.settings import TrainingConfig


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.001), (1, 0.000990995), (10, 0.000909533), (50, 0.000535887), (99, 0.000015849)],
)
def test_poly_schedule(step, expected):
    assert 0.001 * lr_factor(step, TrainingConfig(steps=100)) == pytest.approx(expected, abs=1e-9)


def test_warmup_then_cosine():
    config = TrainingConfig(steps=110, warmup_steps=10, schedule="cosine")
    factors = [lr_factor(step, config) for step in range(110)]
    assert factors[:10] == sorted(factors[:10]) and factors[0] == 1 / 11
    assert factors[10] == 1 and factors[60] == pytest.approx(0.5)
    assert factors[109] == pytest.approx((1 + math.cos(math.pi * 0.99)) / 2)


def test_head_and_decoder_learn_faster_and_every_parameter_once(student):
    optimizer = make_optimizer([student], TrainingConfig(lr=0.001, head_lr_factor=10))
    assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.01]
    assert {id(p) for p in optimizer.param_groups[0]["params"]} == {
        id(p) for p in student.encoder.parameters()
    }
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(student.parameters()))
