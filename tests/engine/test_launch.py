"""One device needs no other process; who makes the run folder is clear to every process."""

import os

import pytest
from lightning_fabric import Fabric

from fewmask.engine.launch import is_first, launch
from fewmask.engine.settings import MachineConfig
from fewmask.errors import UserError


def test_one_device_runs_in_this_process():
    def who(fabric: Fabric, word: str) -> tuple[int, str, int]:
        return os.getpid(), word, fabric.world_size

    machine = MachineConfig(accelerator="cpu")
    assert launch(machine, "fp32", who, "hello") == (os.getpid(), "hello", 1)


@pytest.mark.parametrize(("precision", "expected"), [("fp32", "32-true"), ("bf16", "bf16-mixed")])
def test_the_precision_is_fabrics(precision, expected):
    machine = MachineConfig(accelerator="cpu")
    assert (
        launch(machine, precision, lambda fabric: fabric.strategy.precision.precision) == expected
    )


def test_what_the_machine_cannot_do_is_refused():
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        launch(MachineConfig(accelerator="cpu"), "fp16", lambda fabric: None)


def test_the_first_process_makes_the_run_folder(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert is_first()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("RANK", "1")
    assert not is_first()
    monkeypatch.setenv("RANK", "0")
    assert is_first()
