"""The images of a run are recorded, and must stay the same."""

import json

import pytest
import torch

import fewmask
from fewmask.errors import UserError


def test_the_list_is_written_into_run_folder_and_checkpoint(two_runs):
    facts = json.loads((two_runs / "a" / "splits" / "facts.json").read_text())
    assert facts["labeled"]["count"] == 2 and facts["val"]["count"] == 2
    card = torch.load(two_runs / "a" / "weights" / "best.pt", weights_only=True)
    assert card["labeled"] == facts["labeled"]


def test_a_resumed_run_keeps_its_images(two_runs):
    labeled = two_runs / "data" / "splits" / "labeled_2.txt"
    before = labeled.read_text()
    labeled.write_text("train_1\ntrain_3\n")
    with pytest.raises(UserError, match="labeled images of .* have changed since the run began"):
        fewmask.resume(two_runs / "a", "training.steps=6")
    labeled.write_text(before)
