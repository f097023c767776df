"""Remedies name only options that a run has and that can still be changed that way."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.engine.remedies import Remedies, lower, raise_, turn_on

LOWER, RAISE, TURN_ON = lower("a.x"), raise_("a.y", most=1), turn_on("a.z", "true")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "Train longer."),
        ({"a.x": 0.5}, "Lower a.x, or train longer."),
        ({"a.x": 0.5, "a.y": 0}, "Lower a.x, raise a.y, or train longer."),
        ({"a.x": 0.0}, "Train longer."),
        ({"a.y": 1.0}, "Train longer."),
        ({"a.z": False}, "Set a.z=true, or train longer."),
        ({"a.z": None}, "Set a.z=true, or train longer."),
        ({"a.z": (1.0, 2.0)}, "Train longer."),
    ],
)
def test_only_what_can_be_changed_is_suggested(values, says):
    assert Remedies(values).suggest((LOWER, RAISE, TURN_ON), "train longer") == says


def test_options_of_a_method_are_called_as_the_command_takes_them():
    remedies = Remedies({"method.x.y": 1, "loader.x": 1})
    both = (lower("method.x.y"), raise_("loader.x"))
    assert remedies.suggest(both, "stop") == "Lower method.x.y, raise loader.x, or stop."
    remedies.method = "methods.imas"
    assert remedies.suggest(both, "stop") == "Lower methods.imas.x.y, raise loader.x, or stop."


def test_an_option_without_a_largest_value_can_always_be_raised():
    assert Remedies({"a.w": 1.0}).suggest((raise_("a.w"),), "stop") == "Raise a.w, or stop."


def test_the_options_of_a_recipe_have_dotted_names():
    recipe = recipe_from_words(["synthetic", "method=gta"])
    values = Remedies.of(method=recipe.method, training=recipe.training).values
    assert values["method.keep_percent"] == recipe.method.keep_percent
    assert values["method.supervised_loss.class_weights"] is None
    assert values["training.steps"] == recipe.training.steps
    assert "method.threshold" not in values
