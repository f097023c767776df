"""Learning itself."""

import pytest

import fewmask
from tests.conftest import TINY_WORDS


@pytest.mark.slow
def test_supervised_learns_to_segment(tmp_path):
    """A network that learns at all soon tells objects from background."""
    words = ("method=supervised", "training.steps=60", "training.evaluate_every=60")
    run = fewmask.train("synthetic", *TINY_WORDS, *words, out=tmp_path / "run")
    assert run.scores["student"].iou[0] > 70
    assert run.scores["student"].miou > 12  # all background would be a seventh of about 76
