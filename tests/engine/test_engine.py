"""Minimizer, learning rates, BatchNorm over several processes."""

import copy
import math

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from fewmask.engine.minimizer import Minimizer, lr_factor, make_optimizer
from fewmask.engine.settings import TrainingConfig
from fewmask.methods.imas import IMAS


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.001), (1, 0.000990995), (10, 0.000909533), (50, 0.000535887), (99, 0.000015849)],
)
def test_poly_schedule(step, expected):
    assert 0.001 * lr_factor(step, TrainingConfig(steps=100)) == pytest.approx(expected, abs=1e-9)


def test_warmup_then_cosine():
    config = TrainingConfig(steps=110, warmup_steps=10, schedule="cosine")
    factors = [lr_factor(step, config) for step in range(110)]
    assert factors[:10] == sorted(factors[:10]) and factors[0] > 0
    assert factors[10] == 1 and factors[60] == pytest.approx(0.5)
    assert factors[109] == pytest.approx((1 + math.cos(math.pi * 0.99)) / 2)


def test_head_and_decoder_learn_faster_and_every_parameter_once(student):
    optimizer = make_optimizer(student, TrainingConfig(lr=0.001, head_lr_factor=10))
    assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.01]
    assert {id(p) for p in optimizer.param_groups[0]["params"]} == {
        id(p) for p in student.encoder.parameters()
    }
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(student.parameters()))


def minimizer_of(student, **options) -> tuple[IMAS, Minimizer]:
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    training = TrainingConfig(
        steps=10,
        optimizer="sgd",
        momentum=0,
        weight_decay=0,
        lr=0.1,
        head_lr_factor=1,
        schedule="constant",
        **options,
    )
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    return method, Minimizer(fabric, method, training)


def test_parameter_names_stay_clean_and_gradients_go_to_one_network(student):
    names = list(IMAS(lambda: student, IMAS.Config(name="imas")).state_dict())
    method, minimize = minimizer_of(student)
    assert list(method.state_dict()) == names
    loss = sum((p**2).sum() for p in method.parameters())
    method.teacher.requires_grad_(True)
    assert minimize(sum((p**2).sum() for p in method.parameters()), over=method.student)
    assert all(p.grad is None for p in method.teacher.parameters())
    with pytest.raises(AssertionError, match="trains"):
        minimize(loss, over=method.teacher)


def test_accumulated_gradients_equal_one_large_step(student):
    weight = next(student.parameters())
    start = weight.detach().clone()
    method, minimize = minimizer_of(student, accumulate=2)
    minimize.begin(0)
    minimize.last_round = False
    assert not minimize((weight * 1.0).sum(), over=method.student)
    assert torch.equal(weight, start)
    minimize.last_round = True
    assert minimize((weight * 3.0).sum(), over=method.student)
    torch.testing.assert_close(weight, start - 0.1 * 2.0)


def test_gradients_are_clipped(student):
    weight = next(student.parameters())
    start = weight.detach().clone()
    method, minimize = minimizer_of(student, clip_norm=0.5)
    minimize.begin(0)
    minimize((weight * 100).sum(), over=method.student)
    assert (weight - start).norm().item() == pytest.approx(0.1 * 0.5, rel=1e-4)


def test_sync_batchnorm_alone_equals_batchnorm():
    from fewmask.engine.sync_batchnorm import SyncBatchNorm

    torch.manual_seed(0)
    x = (3 * torch.randn(3, 4, 5, 5) + 10).to(memory_format=torch.channels_last)
    plain = nn.Sequential(nn.BatchNorm2d(4))
    nn.init.uniform_(plain[0].weight), nn.init.uniform_(plain[0].bias)
    synced = SyncBatchNorm.convert(copy.deepcopy(plain))
    upstream, found = torch.randn_like(x), []
    for network in (synced, plain):
        given = x.clone().requires_grad_()
        y = network(given)
        y.backward(upstream)
        found.append((y, given.grad, network[0].weight.grad, network[0].bias.grad))
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(synced[0].running_mean, plain[0].running_mean)
    torch.testing.assert_close(synced[0].running_var, plain[0].running_var)
    torch.testing.assert_close(synced.eval()(x), plain.eval()(x))
    constant = torch.full((2, 4, 3, 3), 7.0)
    gap = synced.train()(constant) - plain.train()(constant)
    assert gap.abs().max() < 1e-3  # a rounding error of the mean, over sqrt(eps)
    torch.testing.assert_close(synced[0].running_var, plain[0].running_var)
