"""A duration in place of a number of steps."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.engine.cost import Cost
from fewmask.recipes import load_recipe
from fewmask.runs import duration
from fewmask.runs.duration import MOST_STEPS, longest_within, settle_duration
from fewmask.tasks.train import open_and_settle
from tests.conftest import TINY_WORDS

WORDS = ["synthetic", *TINY_WORDS, "model.encoder=test_resnet"]


def within(minutes, step, evaluation):
    return longest_within(60 * minutes, Cost(step, evaluation, 0.0))


def test_steps_and_evaluations_fit_into_the_time():
    # 10 evaluation(s) of 3 s leave 570 s.
    assert within(10, step=0.5, evaluation=3) == (1100, 110)
    # A fifth of 600 s has room for 6 evaluations of 20 s; 480 s are left.
    assert within(10, step=0.5, evaluation=20) == (960, 160)


def test_slow_evaluations_leave_half_of_the_time_to_training():
    assert within(10, step=0.5, evaluation=1000) == (600, 600)
    assert within(25, step=8.24, evaluation=2585) == (90, 90)  # a busy machine
    assert within(25, step=0.5, evaluation=700) == (1600, 1600)  # one; two leave too little


def test_the_first_evaluation_comes_within_minutes_and_a_short_run_has_one():
    assert within(25, step=0.5, evaluation=200) == (1800, 600)  # 3 evaluations; 5 take too long
    assert within(25, step=0.5, evaluation=140) == (1600, 320)  # 5
    assert within(4.5, step=0.5, evaluation=60) == (420, 420)


def test_there_is_a_step_and_an_evaluation_however_short_the_time():
    assert within(0.01, step=30, evaluation=30) == (1, 1)
    assert within(1, step=20, evaluation=0.1) == (2, 1)


def test_a_fast_machine_does_not_train_for_ever():
    assert within(600, step=0.001, evaluation=0.1).steps == MOST_STEPS


def settled(monkeypatch, *words):
    monkeypatch.setattr(duration, "measure_cost", lambda recipe, data: Cost(0.5, 3.0, 0.0))
    notes = []
    recipe, _ = open_and_settle(recipe_from_words([*WORDS, *words]), None, notes.append)
    return recipe.training, notes


def test_the_choice_is_told_and_becomes_part_of_the_recipe(monkeypatch):
    training, notes = settled(monkeypatch, "training.minutes=10")
    assert (training.minutes, training.steps, training.evaluate_every) == (None, 1100, 110)
    assert any("1100 steps of 0.50 s and 10 evaluation(s) of 3 s" in note for note in notes)


def test_a_run_that_cannot_be_so_short_says_so(monkeypatch):
    monkeypatch.setattr(duration, "measure_cost", lambda recipe, data: Cost(0.5, 600.0, 0.0))
    notes = []
    open_and_settle(recipe_from_words([*WORDS, "training.minutes=5"]), None, notes.append)
    assert any(
        "300 steps of 0.50 s and 1 evaluation(s) of 600 s take about 12 min, longer than the "
        "5 min asked for" in note
        for note in notes
    )


def test_an_interval_of_the_user_stays(monkeypatch):
    training, _ = settled(monkeypatch, "training.minutes=10", "training.evaluate_every=7")
    assert (training.steps, training.evaluate_every) == (1100, 7)


def test_under_torchrun_steps_are_not_timed(monkeypatch):
    monkeypatch.setattr(duration, "is_started_by_others", lambda: True)
    training, notes = settled(monkeypatch, "training.minutes=10")
    assert training.minutes is None and training.steps == 800  # of the recipe
    assert any("training.steps=N" in note for note in notes)


def test_a_real_step_is_timed():
    recipe, data = open_and_settle(
        recipe_from_words([*WORDS, "training.minutes=0.05"]), None, print
    )
    assert 1 <= recipe.training.steps < 3000 and recipe.training.minutes is None
    again = load_recipe(None, recipe.model_dump(mode="json"))
    assert settle_duration(again, data, pytest.fail).training == recipe.training
