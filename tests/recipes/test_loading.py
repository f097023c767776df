"""Recipes are composed of defaults, a file, and the words of the user."""

from pathlib import Path

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.recipes import Recipe


def test_precedence_defaults_then_file_then_command_line():
    assert (
        recipe_from_words(["synthetic"]).training.lr != Recipe.model_fields["training"].default.lr
    )
    assert recipe_from_words(["synthetic", "training.lr=1e-4"]).training.lr == 1e-4


def test_a_folder_and_a_yaml_file_are_data(photos: Path):
    assert recipe_from_words([f"data={photos}"]).data.name == "folder"
    (photos / "data.yaml").write_text("names: [a, b]\nval_fraction: 0.4\n")
    data = recipe_from_words([f"data={photos}/data.yaml", "data.val_fraction=0.5"]).data
    assert data.names == ("a", "b") and data.val_fraction == 0.5 and data.root == photos


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


def test_a_misspelt_method_in_a_recipe_is_named(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("data: {name: synthetic}\nmethods: {imsa: {threshold: 0.7}}\n")
    with pytest.raises(UserError, match=r"methods.imsa: .*Did you mean 'imas'"):
        recipe_from_words([file])
