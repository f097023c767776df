"""The lines of a run in words."""

import numpy as np
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
