"""A run folder that version 0.1.0 wrote can still be scored, used and continued, with its numbers.

`run_of_0_1` was made by version 0.1.0 on a CPU in fp32:

    fewmask train synthetic method=imas model.encoder=tests.tiny:Encoder model.decoder.channels=6
        model.decoder.low_level_channels=6 data.labeled=6 data.unlabeled=6 data.val=4 data.size=48
        loader.crop=48 loader.labeled_batch=2 loader.unlabeled_batch=2 training.steps=60
        training.evaluate_every=20 training.log_every=20 training.lr=0.01 training.precision=fp32
        machine.workers=0 method.copy_epochs=0 method.threshold=0.5

The numbers below were printed by the same version.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import fewmask
from fewmask.config import allow
from fewmask.run_folder import checkpoint
from fewmask.run_folder.tables import read_table
from fewmask.runs.run import Run

OLD = Path(__file__).parent / "run_of_0_1"
PER_CLASS = [61.35, 0, 3.02, 0, 0, 0, 0]


@pytest.fixture
def run(tmp_path):
    allow("tests.tiny")  # the run names this module, and nobody has typed it here
    return Run.open(shutil.copytree(OLD, tmp_path / "run"))


def test_it_is_scored_as_before(run):
    classes, scores = fewmask.evaluate(run.folder)
    assert scores.miou == pytest.approx(9.1950, abs=1e-4)
    assert scores.iou == pytest.approx(PER_CLASS, abs=0.005)
    assert len(classes) == 7
    assert run.scores["teacher"].miou == 9.1368 and run.scores["student"].best == 9.2968


def test_its_images_are_not_padded_either_before_or_after_it_is_resumed(run):
    """Version 0.1 did not pad, and a run must not be scored in two ways."""
    for weights in ("best", "student"):
        assert run.network(weights, "cpu").network.crop is None
    fewmask.resume(run.folder, "training.steps=61")
    again = Run.open(run.folder)
    assert again.recipe.model.aligned is False
    assert again.network("best", "cpu").network.crop is None


def test_it_predicts(run):
    image = np.random.default_rng(0).integers(0, 255, (50, 70, 3)).astype(np.uint8)
    prediction = fewmask.load(run.folder).predict(image)
    assert prediction.mask.shape == (50, 70) and prediction.mask.max() < 7
    assert prediction.classes.colors.shape == (7, 3)
    from_file = fewmask.load(run.paths.best).predict(image)
    assert np.array_equal(from_file.mask, prediction.mask)


def test_it_is_resumed_where_it_stopped(run):
    """Weights and losses are compared, as they are continuous.

    Scores are not: another CPU rounds differently, which turns a few of the 9216 pixels.
    """
    before = checkpoint.load(run.paths.last)["method"]
    resumed = fewmask.resume(run.folder, "training.steps=64")
    assert resumed.is_finished
    after = checkpoint.load(run.paths.last)["method"]
    assert moved("student.", before, after) == pytest.approx(0.17833, rel=0.01)
    assert moved("teacher.", before, after) == pytest.approx(0.21771, rel=0.01)
    rows = [(r["step"], r["network"]) for r in read_table(run.paths.results)]
    assert rows[-2:] == [("64", "teacher"), ("64", "student")]
    last = json.loads(run.paths.metrics.read_text().splitlines()[-1])
    assert last["loss_labeled"] == pytest.approx(0.96604, rel=0.01)
    assert last["loss_unlabeled"] == pytest.approx(0.018814, rel=0.01)


def moved(network, before, after):
    """How far the four steps have moved a network, as a distance."""
    floats = [k for k, x in before.items() if k.startswith(network) and x.is_floating_point()]
    return torch.cat([(after[k] - before[k]).flatten() for k in floats]).norm().item()
