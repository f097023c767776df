"""Options: strict, typed, and errors a person can act on."""

from pathlib import Path

import pytest

from fewmask.cli.words import parse_options, recipe_from_words
from fewmask.config import merge
from fewmask.errors import UserError
from fewmask.methods import METHODS
from fewmask.methods.imas import IMAS
from fewmask.recipes import Recipe
from fewmask.recipes.shipped import recipe_names


def expect(words: list[str], *parts: str, base: str | None = "synthetic") -> None:
    with pytest.raises(UserError) as error:
        recipe_from_words([base, *words])
    for part in parts:
        assert part in str(error.value), str(error.value)


def test_an_unknown_option_comes_with_the_nearest():
    expect(["method=imas", "method.treshold=0.9"], "method.treshold: unknown option", "'threshold'")
    expect(["training.stepz=9"], "training.stepz", "'steps'")
    expect(["model.decoder.chanels=9"], "model.decoder.chanels", "'channels'")
    expect(["trainig.steps=9"], "trainig", "'training'")


def test_a_wrong_value_is_named_with_what_is_allowed():
    expect(["training.precision=fp8"], "training.precision='fp8'", "'bf16'")
    expect(["training.steps=many"], "training.steps='many'", "integer")
    expect(["training.steps=10", "training.warmup_steps=20"], "warmup_steps=20")


def test_unknown_names():
    expect(["method=imass"], "unknown method", "'imas'", "package.module:Class")
    expect(["data=nowhere"], "data=nowhere", "no such folder")
    expect([], "is no recipe", base="sinthetic")
    expect(["method=no_such.module:X"], "no module 'no_such'")
    expect(["method=fewmask.methods.imas:Nope"], "has no 'Nope'")
    expect(["steps"], "'steps' is not an option")
    expect([], "Which images?", base=None)


def test_precedence_defaults_then_file_then_command_line():
    assert (
        recipe_from_words(["synthetic"]).training.lr != Recipe.model_fields["training"].default.lr
    )
    assert recipe_from_words(["synthetic", "training.lr=1e-4"]).training.lr == 1e-4


def test_a_resolved_recipe_is_valid_input(tmp_path: Path):
    recipe = recipe_from_words(["synthetic", "method=imas", "method.threshold=0.8", "seed=3"])
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    assert recipe_from_words([tmp_path / "recipe.yaml"]) == recipe


def test_values_are_read_as_yaml():
    words = ["a.b=true", "a.c=[1, 2]", "a.d=null", "a.e=1e-3", "data=x", "a.f={1: 2}"]
    assert parse_options(words) == {
        "a": {"b": True, "c": [1, 2], "d": None, "e": 1e-3, "f": {1: 2}},
        "data": {"name": "x"},
    }


def test_another_method_starts_from_its_own_defaults():
    base = {"method": {"name": "imas", "threshold": 0.7}}
    assert merge(base, {"method": {"name": "supervised"}}) == {"method": {"name": "supervised"}}
    assert merge(base, {"method": {"name": "imas", "ema_decay": 0.9}})["method"]["threshold"] == 0.7


def test_a_users_method_is_found_by_import_path():
    recipe = recipe_from_words(
        ["synthetic", "method=fewmask.methods.imas:IMAS", "method.threshold=0.5"]
    )
    assert isinstance(recipe.method, IMAS.Config) and recipe.method.threshold == 0.5


def test_a_folder_and_a_yaml_file_are_data(photos: Path):
    assert recipe_from_words([f"data={photos}"]).data.name == "folder"
    (photos / "data.yaml").write_text("names: [a, b]\nval_fraction: 0.4\n")
    data = recipe_from_words([f"data={photos}/data.yaml", "data.val_fraction=0.5"]).data
    assert data.names == ("a", "b") and data.val_fraction == 0.5 and data.root == photos


def test_every_shipped_recipe_validates():
    assert {"camvid", "synthetic", "voc/imas", "cityscapes/pcr"} < set(recipe_names())
    for name in recipe_names():
        assert recipe_from_words([name, *(["data.root=somewhere"] if name != "synthetic" else [])])
    assert recipe_from_words(["synthetic"]).method.name == "imas"
    recipe = recipe_from_words(["camvid", "data.root=somewhere", "data.labeled=46"])
    assert recipe.data.long_side == 180 and recipe.method.threshold == 0.95


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


def test_a_recipe_holds_the_options_of_several_methods(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "data: {name: synthetic}\n"
        "method: {name: imas, threshold: 0.6}\n"
        "methods: {imas: {threshold: 0.7, ema_decay: 0.9}, pcr: {warmup_epochs: 3}}\n"
    )
    imas = recipe_from_words([file]).method
    assert (imas.threshold, imas.ema_decay) == (0.6, 0.9)
    pcr = recipe_from_words([file, "method=pcr", "method.threshold=0.5"]).method
    assert (pcr.threshold, pcr.warmup_epochs) == (0.5, 3)


@pytest.mark.parametrize("recipe", ["synthetic", "camvid"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_validates_in_every_recipe(recipe, method):
    words = ["data.root=somewhere"] if recipe == "camvid" else []
    assert recipe_from_words([recipe, *words, f"method={method}"]).method.name == method


def test_a_misspelt_method_in_a_recipe_is_named(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("data: {name: synthetic}\nmethods: {imsa: {threshold: 0.7}}\n")
    with pytest.raises(UserError, match=r"methods.imsa: .*Did you mean 'imas'"):
        recipe_from_words([file])
