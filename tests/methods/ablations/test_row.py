"""The rows of the papers' ablations."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.config import find
from fewmask.methods import METHODS
from fewmask.methods.ablations import ROWS_OF

every_table = pytest.mark.parametrize("name", ROWS_OF)


@every_table
def test_every_row_is_another_run_of_its_method(name):
    base, *rows = ROWS_OF[name]
    assert base.words == ()
    recipes = [
        recipe_from_words(("synthetic", f"method={name}", *row.words)).method
        for row in (base, *rows)
    ]
    assert all(recipe not in recipes[:i] for i, recipe in enumerate(recipes))
    assert len({row.title for row in ROWS_OF[name]}) == len(recipes)


@every_table
def test_every_switch_is_off_by_default_and_repeats_a_row(name):
    """A length may be given in epochs or in steps; a row needs one of them."""
    config = find(name, METHODS, "method").Config
    ablation = type(config(name=name).ablation)
    words = " ".join(word for row in ROWS_OF[name] for word in row.words)
    unused = [key for key in ablation.model_fields if f"method.ablation.{key}=" not in words]
    assert unused in ([], ["supervised_steps"])
    assert config(name=name).ablation == ablation()
