"""The recipes of a comparison differ in method and seed, and in what is set for one method."""

import pytest

from fewmask.errors import UserError
from fewmask.recipes.comparing import load_comparison

METHODS = ["supervised", "imas", "gta"]


def composed(method=None, methods=None, seeds=(0,)):
    """The recipes by method, and the notes."""
    given = {"method": method or {}, "methods": methods or {}}
    notes = []
    recipes = load_comparison("synthetic", given, METHODS, seeds, notes.append)
    return recipes, notes


def test_one_recipe_per_method_and_seed_sorted_by_method():
    recipes, notes = composed(seeds=range(2))
    found = [(recipe.method.name, recipe.seed) for recipe in recipes]
    assert found == [(method, seed) for method in METHODS for seed in range(2)]
    assert notes == []


def test_an_option_is_for_every_method_that_has_it_and_others_are_named():
    (supervised, imas, gta), notes = composed({"threshold": 0.6})
    assert imas.method.threshold == 0.6
    assert not hasattr(supervised.method, "threshold") and not hasattr(gta.method, "threshold")
    assert notes == ["method.threshold changes nothing in supervised, gta: no such option there."]


def test_an_option_of_a_nested_config_is_for_every_method_that_has_it():
    recipes, notes = composed({"supervised_loss": {"dice_weight": 1.0}})
    assert [recipe.method.supervised_loss.dice_weight for recipe in recipes] == [1, 1, 1]
    assert notes == []


def test_an_option_of_one_method_takes_precedence_there():
    methods = {"imas": {"ema_decay": 0.7}}
    (_, imas, gta), _ = composed({"ema_decay": 0.5}, methods)
    assert (imas.method.ema_decay, gta.method.ema_decay) == (0.7, 0.5)


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ({"treshold": 1}, "method.treshold: none of the compared .*Did you mean 'threshold'"),
        (
            {"supervised_loss": {"dice_wait": 1}},
            "method.supervised_loss.dice_wait: none .*'supervised_loss.dice_weight'",
        ),
        ({"prototypes": 9}, r"method.prototypes: none of .*\(supervised, imas, gta\)"),
        ({"threshold": "high"}, "method.threshold='high'"),
    ],
)
def test_an_option_that_no_compared_method_has_is_refused(method, says):
    with pytest.raises(UserError, match=says):
        composed(method)


def test_a_method_of_the_user_is_found_where_they_work(tmp_path, monkeypatch):
    (tmp_path / "lab_of_mine.py").write_text(
        "from fewmask.methods.fixmatch import FixMatch as Mine"
    )
    monkeypatch.chdir(tmp_path)
    recipes = load_comparison("synthetic", {}, ["supervised", "lab_of_mine:Mine"], [0])
    assert [recipe.method.name for recipe in recipes] == ["supervised", "lab_of_mine:Mine"]
