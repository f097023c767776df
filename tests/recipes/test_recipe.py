"""A recipe is complete, described, and valid input."""

from pathlib import Path

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.methods.imas import IMAS
from fewmask.recipes import Recipe, load_recipe, load_run_recipe


def test_a_resolved_recipe_is_valid_input(tmp_path: Path):
    recipe = recipe_from_words(["synthetic", "method=imas", "method.threshold=0.8", "seed=3"])
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    assert recipe_from_words([tmp_path / "recipe.yaml"]) == recipe


def test_every_option_says_what_it_is():
    def describe(config) -> None:
        for name, field in config.model_fields.items():
            assert field.description, f"{config.__qualname__}.{name} has no sentence"

    recipe = recipe_from_words(["synthetic"])
    for config in (
        recipe,
        *(getattr(recipe, name) for name in Recipe.model_fields if name != "seed"),
    ):
        describe(type(config))
    describe(IMAS.Config)


@pytest.mark.parametrize("section", ["data", "method"])
def test_a_name_of_something_else_is_refused(section):
    words = f"^{section}=fewmask.batch:normalize: this is not a class that derives from fewmask"
    with pytest.raises(UserError, match=words):
        recipe_from_words(["synthetic", f"{section}=fewmask.batch:normalize"])


def test_the_recipe_of_a_run_may_not_lose_its_end(tmp_path):
    recipe, file = load_recipe("synthetic"), tmp_path / "recipe.yaml"
    lines = recipe.to_run_yaml().splitlines(keepends=True)
    file.write_text("".join(lines))
    assert load_recipe(file) == load_run_recipe(file) == recipe
    for count in range(1, len(lines)):
        file.write_text("".join(lines[:count]))
        for load in (load_recipe, load_run_recipe):
            with pytest.raises(UserError, match="end is missing|no settings"):
                load(file)
    file.write_text("".join(lines[1:5]))  # a recipe of the user's own may be short
    load_recipe(file)
