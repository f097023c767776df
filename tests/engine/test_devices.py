"""What a machine can compute on is found out before training starts."""

import pytest
import torch

from fewmask.engine.devices import (
    choose_accelerator,
    choose_precision,
    environment,
    processor,
)
from fewmask.engine.settings import MachineConfig
from fewmask.errors import UserError


def test_machine_choices():
    assert choose_precision("fp32", "cuda") == "fp32"
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        choose_precision("fp16", "cpu")
    assert choose_precision("auto", "mps") == "fp32"
    assert choose_accelerator(MachineConfig(accelerator="cpu")) == "cpu"
    with pytest.raises(UserError, match="machine.devices=999"):
        choose_accelerator(MachineConfig(accelerator="cpu", devices=999))
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="this machine has none"):
            choose_accelerator(MachineConfig(accelerator="cuda"))


def test_the_environment_names_what_a_bug_report_needs():
    found = environment()
    assert found.keys() >= {"fewmask", "python", "platform", "torch", "timm", "cuda device"}
    assert found["torch"] == torch.__version__
    assert found["precision auto"] in ("fp32", "bf16", "fp16")


def test_the_processor_has_a_name():
    assert processor() and processor() == processor().strip()
