"""fp16 with its loss scaler, on the CPU's slow fp16: as a GPU trains, but for the speed."""

import copy

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from fewmask.batch import Batch
from fewmask.engine.minimizer import Minimizer
from fewmask.engine.settings import TrainingConfig
from fewmask.methods import METHODS
from fewmask.methods.gta import GTA
from fewmask.methods.imas import IMAS
from tests.conftest import MID_TRAINING, past_warm_up

INITIAL = 2.0**12
"""The scale that runs begin with, 2**16, may overflow at first."""


def minimizer_of(method, **options) -> Minimizer:
    scaler = torch.amp.GradScaler("cpu", init_scale=INITIAL)
    precision = MixedPrecision("16-mixed", device="cpu", scaler=scaler)
    fabric = Fabric(accelerator="cpu", plugins=precision)
    options = {"optimizer": "sgd", "lr": 0.01, "schedule": "constant"} | options
    training = TrainingConfig(steps=10, **options)
    minimize = Minimizer(fabric, method, training)
    minimize.begin(0)
    return minimize


def scale(minimize: Minimizer) -> float:
    return minimize.state_dict()["precision"]["scale"]


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("name", METHODS)
def test_each_method_steps(student, batch: Batch, name: str, clip_norm):
    method = past_warm_up(name, student)
    minimize = minimizer_of(method, clip_norm=clip_norm)
    before = next(method.student.parameters()).clone()
    for _ in range(2):
        logged = method.step(batch, minimize, MID_TRAINING).by_name()
    assert scale(minimize) == INITIAL, "a step has overflowed"
    assert all(torch.isfinite(value).all() for value in logged.values())
    after = next(method.student.parameters())
    assert torch.isfinite(after).all() and not torch.equal(before, after)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_step_that_overflows_is_left_out_and_the_scale_halved(student, clip_norm):
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    minimize = minimizer_of(method, clip_norm=clip_norm)
    weight = next(student.parameters())
    before = weight.detach().clone()
    minimize((weight * 1e36).sum(), over=method.student)  # finite, but not when scaled
    assert torch.equal(weight, before) and scale(minimize) == INITIAL / 2
    minimize((weight * 1.0).sum(), over=method.student)
    assert not torch.equal(weight, before)


@pytest.fixture
def unwritten_is_nan():
    """Memory that is taken and not written holds NaN, as on a GPU it holds anything."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_nothing_unwritten_is_used_after_a_first_step_left_out(
    student, unwritten_is_nan, optimizer
):
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    minimize = minimizer_of(method, optimizer=optimizer)
    weight = next(student.parameters())
    for factor in (1e36, 1.0, 1.0):
        minimize((weight * factor).sum(), over=method.student)
    assert torch.isfinite(weight).all()


def test_a_run_from_where_there_was_no_scaler_goes_on(student):
    method = IMAS(lambda: copy.deepcopy(student), IMAS.Config(name="imas"))
    plain = Minimizer(Fabric(accelerator="cpu"), method, TrainingConfig(steps=10))
    again = minimizer_of(IMAS(lambda: student, IMAS.Config(name="imas")))
    again.load_state_dict(plain.state_dict())
    assert scale(again) == INITIAL


def test_the_gradient_is_the_unscaled_one(student):
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    minimize = minimizer_of(method, momentum=0, weight_decay=0)
    weight = next(student.parameters())
    before = weight.detach().clone()
    minimize((weight * 3.0).sum(), over=method.student)
    torch.testing.assert_close(weight, before - minimize.lr * 3.0)


def test_the_scale_is_kept_in_checkpoints(student):
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    minimize = minimizer_of(method)
    minimize((next(student.parameters()) * 1e36).sum(), over=method.student)
    again = minimizer_of(IMAS(lambda: student, IMAS.Config(name="imas")))
    assert scale(again) != scale(minimize)
    again.load_state_dict(minimize.state_dict())
    assert scale(again) == scale(minimize)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_state_from_where_nothing_was_fused_goes_on(student, optimizer):
    method = IMAS(lambda: copy.deepcopy(student), IMAS.Config(name="imas"))
    clipped = minimizer_of(method, optimizer=optimizer, clip_norm=1.0)
    clipped((next(method.student.parameters()) * 1.0).sum(), over=method.student)
    saved = clipped.state_dict()
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    again = minimizer_of(method, optimizer=optimizer)
    again.load_state_dict(saved)
    for a, b in zip(clipped.optimizers.values(), again.optimizers.values(), strict=True):
        assert not any(group["fused"] for group in a.param_groups), "the saved state was changed"
        assert all(group["fused"] for group in b.param_groups)
    weight = next(student.parameters())
    before = weight.detach().clone()
    again((weight * 1.0).sum(), over=method.student)
    assert not torch.equal(weight, before)


def test_gradients_that_wait_follow_the_scale(student):
    method = GTA(lambda: student, GTA.Config(name="gta"))
    first, second = method.trains
    minimize = minimizer_of(method, accumulate=2, momentum=0, weight_decay=0)
    weights = [next(getattr(method, name).parameters()) for name in (first, second)]
    before = [weight.detach().clone() for weight in weights]
    for last, factor in ((False, 1.0), (True, 1e36)):  # the first network overflows at last
        minimize.last_round = last
        minimize((weights[0] * factor).sum(), over=getattr(method, first))
        minimize((weights[1] * 2.0).sum(), over=getattr(method, second))
    assert torch.equal(weights[0], before[0]) and scale(minimize) == INITIAL / 2
    torch.testing.assert_close(weights[1], before[1] - minimize.lr * 2.0)
