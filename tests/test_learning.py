"""Learning itself: unlabeled scenes help, in minutes at most."""

import pytest

import fewmask
from tests.conftest import TINY_WORDS


@pytest.mark.slow
def test_supervised_learns_to_segment(tmp_path):
    """Two classes that differ in brightness: a network that learns at all is soon far above chance."""
    words = ("method=supervised", "training.steps=60", "training.evaluate_every=60", "data.labeled=16")
    run = fewmask.train("synthetic", *TINY_WORDS, *words, "training.log_every=30", out=tmp_path / "run")
    background = run.scores["student"].iou[0]
    assert background > 70  # objects are told from the background
    assert run.scores["student"].pixel_accuracy > 75
