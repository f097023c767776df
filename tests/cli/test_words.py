"""Words of a command line become a recipe."""

import pytest

from fewmask.cli.words import evaluation_options, parse_options, recipe_from_words
from fewmask.errors import UserError
from fewmask.methods.imas import IMAS


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


def test_values_are_read_as_yaml():
    words = ["a.b=true", "a.c=[1, 2]", "a.d=null", "a.e=1e-3", "data=x", "a.f={1: 2}"]
    assert parse_options(words) == {
        "a": {"b": True, "c": [1, 2], "d": None, "e": 1e-3, "f": {1: 2}},
        "data": {"name": "x"},
    }


def test_options_of_a_method_by_its_name():
    assert parse_options(["methods.imas.threshold=0.9"]) == {
        "methods": {"imas": {"threshold": 0.9}}
    }
    own = parse_options(["methods.my.lab:Soft.supervised_loss.kind=ohem"])
    assert own == {"methods": {"my.lab:Soft": {"supervised_loss": {"kind": "ohem"}}}}
    expect(["methods.imsa.threshold=1"], "methods.imsa: unknown method. Did you mean 'imas'?")
    expect(["methods.pcr.treshold=1"], "methods.pcr.treshold: unknown", "'threshold'")


def test_a_users_method_is_found_by_import_path():
    recipe = recipe_from_words(
        ["synthetic", "method=fewmask.methods.imas:IMAS", "method.threshold=0.5"]
    )
    assert isinstance(recipe.method, IMAS.Config) and recipe.method.threshold == 0.5


def test_an_evaluation_takes_only_options_that_have_an_effect():
    assert evaluation_options(["data.val=v.txt"]) == {"data": {"val": "v.txt"}}
    with pytest.raises(UserError, match="method: this option cannot change .*evaluation"):
        evaluation_options(["method.threshold=3"])


def test_a_section_can_be_given_at_once():
    recipe = recipe_from_words(["synthetic", "model.decoder={name: linear, levels: all}"])
    assert recipe.model.decoder.name == "linear" and recipe.model.decoder.levels == "all"


def test_a_pattern_of_paths_needs_no_quotes():
    assert parse_options(["data.masks={name}/masks"]) == {"data": {"masks": "{name}/masks"}}
