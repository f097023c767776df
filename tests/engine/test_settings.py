"""Intervals follow from the length of a run, and contradictions are refused."""

import pytest

from fewmask.config import validate
from fewmask.engine.settings import TrainingConfig
from fewmask.errors import UserError


@pytest.mark.parametrize(
    ("options", "evaluation", "checkpoint"),
    [
        ({"steps": 1000}, 100, 100),
        ({"steps": 3}, 1, 1),
        ({"steps": 1000, "evaluate_every": 7}, 7, 7),
        ({"steps": 1000, "evaluate_every": 7, "checkpoint_every": 3}, 7, 3),
    ],
)
def test_intervals_follow_from_the_length_of_the_run(options, evaluation, checkpoint):
    training = TrainingConfig(**options)
    assert training.evaluation_interval() == evaluation
    assert training.checkpoint_interval() == checkpoint


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(UserError, match="warmup_steps=10 must be below steps=10"):
        validate(TrainingConfig, {"steps": 10, "warmup_steps": 10}, "training")
