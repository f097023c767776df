"""Words of a command line become a recipe."""

import pytest

from fewmask.cli.words import (
    comparison_recipes,
    evaluation_options,
    parse_options,
    recipe_from_words,
)
from fewmask.errors import UserError
from fewmask.methods.imas import IMAS


def expect(words: list[str], *parts: str, base: str | None = "synthetic") -> None:
    with pytest.raises(UserError) as error:
        recipe_from_words([base, *words])
    for part in parts:
        assert part in str(error.value), str(error.value)


def test_an_unknown_option_comes_with_the_nearest():
    expect(
        ["method=imas", "method.treshold=0.9"],
        "method.treshold: unknown option",
        "'method.threshold'",
    )
    expect(["training.stepz=9"], "training.stepz", "'training.steps'")
    expect(["model.decoder.chanels=9"], "model.decoder.chanels", "'model.decoder.channels'")
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
    expect(["methods.pcr.treshold=1"], "methods.pcr.treshold: unknown", "'methods.pcr.threshold'")


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


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["synthetic", "steps=100"], "training.steps"),
        (["synthetic", "stps=100"], "training.steps"),
        (["synthetic", "names=[a, b]"], "data.names"),
        (["synthetic", "labeled=3"], "data.labeled"),
        (["synthetic", "threshold=0.9"], "method.threshold"),
        (["synthetic", "encoder=resnet18"], "model.encoder"),
        (["synthetic", "methd=imas"], "method"),
        (["synthetic", "Data=photos"], "data"),
        (["synthetic", "imas"], "method=imas"),
        (["synthetic", "photos"], "data=photos"),
        (["synthetic", "my photos"], "'data=my photos'"),
        (["my photos"], "'data=my photos'"),
        (["photos/"], "data=photos"),
        (["data=photo"], "photos"),
        (["data=Photos/"], "photos"),
    ],
)
def test_common_slips_come_with_the_word_that_works(words, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "my photos", "runs"):
        (tmp_path / folder / "images").mkdir(parents=True)
    with pytest.raises(UserError) as error:
        recipe_from_words(words)
    said = str(error.value)
    assert (
        f"Did you mean '{meant}'?" in said
        or f"Did you mean {meant}?" in said
        or (f"To use its images: {meant}" in said)
    )


def test_what_a_shell_splits_is_told_in_one_line():
    with pytest.raises(UserError, match=r"'data.names=\[soil,' is cut off.*in quotes"):
        recipe_from_words(["synthetic", "data.names=[soil,", "weed]"])
    with pytest.raises(UserError) as error:
        recipe_from_words(["synthetic", "data.names=]"])
    assert "cannot be read as YAML" in str(error.value) and "\n" not in str(error.value)


def test_a_comparison_names_its_own_option():
    with pytest.raises(UserError, match="methods=imas: .* from --methods"):
        comparison_recipes(["synthetic", "methods=imas"], ["imas"], [0])


def test_data_is_a_folder_or_a_yaml_file(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match="photo.png: expected a folder, or a .yaml file"):
        recipe_from_words([f"data={tmp_path / 'photo.png'}"])
    with pytest.raises(UserError, match="There is no file .*mine.yaml"):
        recipe_from_words([tmp_path / "mine.yaml"])
