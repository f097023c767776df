"""The lines of a run in words."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fewmask.batch import StepReport
from fewmask.engine import wording
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.evaluation import Scores


def test_a_progress_line_shows_losses_pixels_rate_speed_and_memory():
    losses = {name: torch.tensor(i / 10) for i, name in enumerate("abc", 1)}
    report = StepReport(losses, torch.tensor(0.451))
    line = wording.progress(report, 0.00123, 45.67, 3.21)
    assert line == "loss a 0.100, b 0.200  pseudo-labels 45 %  lr 0.0012  45.7 images/s  3.2 GiB"


def test_a_progress_line_leaves_out_what_there_is_not():
    assert wording.progress(StepReport({}), 0.001, 2, None) == "lr 0.001  2.0 images/s"


def test_an_evaluation_shows_now_and_best():
    scores = {"teacher": Scores(50.126, 90.0, (50.0,), np.eye(1))}
    assert wording.evaluation(scores, {"teacher": 60.0}) == "val mIoU  teacher 50.13 (best 60.00)"


def test_the_quality_of_pseudo_labels_is_a_sentence():
    quality = PseudoQuality(0.45, 0.838, 0.989, 0.1, np.zeros(3))
    assert wording.pseudo_labels(quality) == (
        "on val, pseudo-labels cover 45 % of pixels; 83.8 % are correct; mean confidence 98.9 %"
    )
    none = quality._replace(used=0.0, accuracy=0.0, confidence=0.0)
    assert wording.pseudo_labels(none) == "on val, no pixel gets a pseudo-label"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"), (42.4, "42 s"), (59.6, "1 min"), (250, "4 min 10 s"), (599.7, "10 min"),
        (1770, "30 min"), (3599, "1 h"), (4800, "1 h 20 min"), (35_990, "10 h"),
        (338_400, "94 h"), (4_000_000, "1,111 h"),
    ],
)  # fmt: skip
def test_durations_are_as_exact_as_one_wants_to_know_them(seconds, words):
    assert wording.duration(seconds) == words


def test_a_run_of_more_than_an_hour_is_called_long_and_says_what_to_try():
    assert wording.long_run(3600, 1.0, "cpu") is None
    said = wording.long_run(20_000, 17.0, "cpu")
    assert "20,000 steps take about 94 h on this CPU. Evaluations are not counted." in said
    assert "training.steps=210 (about 1 h), a smaller loader.crop" in said
    assert "model.encoder" in said
    assert "on this GPU" in wording.long_run(20_000, 17.0, "cuda")


def test_many_short_runs_are_long_together():
    assert wording.long_run(1000, 1.0, "cpu", runs=3) is None
    said = wording.long_run(1000, 1.0, "cpu", runs=6)
    assert "1,000 steps take about 17 min on this CPU; 6 such runs, about 1 h 40 min." in said
    assert "training.steps=600 (about 1 h)" in said


def test_steps_that_take_more_than_an_hour_each_leave_one_to_try():
    assert "training.steps=1 (about 2 h)" in wording.long_run(10, 7200.0, "cpu")


def test_a_run_that_was_stopped_says_how_to_continue():
    assert wording.stopped(3, 9, Path("runs/a")) == (
        "Stopped after step 3 of 9. Everything is saved. To continue: fewmask train --resume runs/a"
    )
