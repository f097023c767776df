"""Checkpoints, machine choices, dry runs."""

import os

import pytest
import torch

from fewmask.cli.words import recipe_from_words
from fewmask.config import find
from fewmask.engine.launch import choose_accelerator, choose_precision
from fewmask.engine.settings import MachineConfig
from fewmask.errors import UserError
from fewmask.methods import METHODS
from fewmask.run_folder import checkpoint
from fewmask.tasks import train
from tests.conftest import TINY_WORDS


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
