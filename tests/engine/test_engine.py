"""Minimizer, schedules, checkpoints, machine choices."""

import copy
import math
import os

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from fewmask.cli.words import recipe_from_words
from fewmask.config import find
from fewmask.engine.launch import choose_accelerator, choose_precision
from fewmask.engine.minimizer import Minimizer
from fewmask.engine.optimizers import lr_factor, make_optimizer
from fewmask.engine.settings import MachineConfig, TrainingConfig
from fewmask.errors import UserError
from fewmask.methods import METHODS
from fewmask.methods.imas import IMAS
from fewmask.run_folder import checkpoint
from fewmask.tasks import train
from tests.conftest import TINY_WORDS


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
    optimizer = make_optimizer([student], TrainingConfig(lr=0.001, head_lr_factor=10))
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


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "last.pt"
    checkpoint.save({"step": 1}, file)

    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"step": 2}, file)
    assert checkpoint.load(file)["step"] == 1


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path):
    file = tmp_path / "last.pt"
    with pytest.raises(UserError, match="no checkpoint"):
        checkpoint.load(file)
    checkpoint.save({"weights": torch.zeros(1000)}, file)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(UserError, match="Cannot read"):
        checkpoint.load(file)
    torch.save({"model": 1}, file)
    with pytest.raises(UserError, match="not a fewmask checkpoint"):
        checkpoint.load(file)


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("evil",))


def test_a_checkpoint_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": checkpoint.FORMAT, "x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(UserError):
        checkpoint.load(tmp_path / "evil.pt")
    assert not (tmp_path / "evil").exists()


def test_run_folders_are_numbered_and_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [checkpoint.new_run_folder("a-b").name for _ in range(2)] == ["a-b-001", "a-b-002"]
    out = tmp_path / "mine"
    checkpoint.new_run_folder("x", out=out)
    (out / "recipe.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="--overwrite"):
        checkpoint.new_run_folder("x", out=out)
    checkpoint.new_run_folder("x", overwrite=True, out=out)


def test_machine_choices():
    assert choose_precision("fp32", "cuda") == "fp32"
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        choose_precision("fp16", "cpu")
    assert choose_precision("auto", "mps") == "fp32"
    assert choose_accelerator(MachineConfig(accelerator="cpu")) == "cpu"
    with pytest.raises(UserError, match="machine.devices=999"):
        choose_accelerator(MachineConfig(accelerator="cpu", devices=999))
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="there is none here"):
            choose_accelerator(MachineConfig(accelerator="cuda"))


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


@pytest.mark.parametrize("name", ["pcr", "gta"])
def test_a_dry_run_sees_the_warm_up_and_what_comes_after(name, monkeypatch):
    """The later steps take more time and memory, so they are the ones to be told of."""
    kind, seen = find(name, METHODS, "method"), []
    step = kind.step

    def watched(self, batch, minimize, progress):
        scalars = step(self, batch, minimize, progress)
        seen.append((progress.step, minimize.last_round, scalars.used_pixels is not None))
        return scalars

    monkeypatch.setattr(kind, "step", watched)
    words = ("training.steps=50", "training.accumulate=2", "loader.labeled_batch=4")
    small = ("loader.unlabeled_batch=4", "method.warmup_epochs=2", "model.encoder=test_resnet")
    cells = ["method.cells=4"] if name == "pcr" else []
    recipe = recipe_from_words(["synthetic", *TINY_WORDS, f"method={name}", *words, *small, *cells])
    train.rehearse(recipe)
    rounds = [(0, False), (49, True), (49, True)]
    assert seen == [(step, last, late) for step, late in rounds for last in (False, True)]
