"""The automatic settings: which recipe they are, what can be changed, and how they are told."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.methods import METHODS
from fewmask.recipes import load_recipe
from fewmask.recipes.automatic import automatic_recipe, described
from fewmask.recipes.shipped import recipe_values


def test_device_and_weights_decide_which_settings_are_automatic(monkeypatch):
    def chosen(device, can_be_had, **model):
        source = "timm" if can_be_had else None
        monkeypatch.setattr("fewmask.recipes.automatic.choose_accelerator", lambda machine: device)
        monkeypatch.setattr("fewmask.recipes.automatic.find_source", lambda *wanted: source)
        return automatic_recipe({"model": model})

    assert chosen("cpu", True) == "auto/cpu"
    assert chosen("cuda", True) == "auto/dinov2"
    assert chosen("cuda", False) == "auto/gpu"
    assert chosen("cuda", True, encoder="resnet50") == "auto/gpu"
    assert chosen("cuda", True, pretrained=False) == "auto/gpu"
    assert chosen("cuda", True, encoder="auto", pretrained="package") == "auto/gpu"
    assert chosen("cuda", False, encoder="vit_small_patch14_dinov2") == "auto/dinov2"
    # torchrun's processes could get different answers from the hub.
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert chosen("cuda", True) == "auto/gpu"


def test_dinov2_learns_at_the_published_rates():
    recipe = recipe_from_words(["auto/dinov2", "data=synthetic"])
    assert recipe.model.encoder == "vit_small_patch14_dinov2"
    assert recipe.model.decoder.name == "auto" and recipe.model.output_stride is None
    assert recipe.loader.crop % 14 == 0
    assert (recipe.training.lr, recipe.training.head_lr_factor) == (5e-6, 40)


def test_a_wish_for_a_device_is_heard():
    assert automatic_recipe({"machine": {"accelerator": "cpu", "devices": 64}}) == "auto/cpu"


def test_without_a_recipe_settings_are_automatic():
    cpu = ["data=synthetic", "machine.accelerator=cpu"]
    assert recipe_from_words(cpu) == recipe_from_words(["auto", *cpu])
    assert recipe_from_words(cpu) == recipe_from_words(["auto/cpu", *cpu])
    assert recipe_from_words(cpu).method.name == recipe_values("auto/cpu")["method"]["name"]


@pytest.mark.parametrize("option", ["training.steps=70", "training.epochs=2"])
def test_a_length_in_steps_or_epochs_replaces_the_minutes(option):
    training = recipe_from_words(["data=synthetic", option]).training
    assert training.minutes is None
    key, value = option.removeprefix("training.").split("=")
    assert getattr(training, key) == int(value)


@pytest.mark.parametrize("device", ["cpu", "gpu", "dinov2"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_automatic_settings(method, device):
    recipe = load_recipe(
        f"auto/{device}", {"data": {"name": "synthetic"}, "method": {"name": method}}
    )
    for name in ("warmup", "copy"):
        # A warm-up in passes over thousands of photos would outlast the run.
        if hasattr(recipe.method, f"{name}_epochs"):
            assert getattr(recipe.method, f"{name}_steps") is not None


def test_each_choice_is_told_with_the_option_that_changes_it():
    recipe = recipe_from_words(["data=synthetic", "machine.accelerator=cpu", "loader.crop=97"])
    lines = described([recipe])
    assert any("97 pixels" in line and "loader.*" in line for line in lines)
    assert any("25 min" in line and "--time" in line for line in lines)
    recipe = recipe_from_words(["data=synthetic", "training.steps=70", "method=supervised"])
    lines = described([recipe])
    assert any("70 steps" in line for line in lines)
    assert not any("unlabeled" in line for line in lines)


def test_an_encoder_of_the_users_choice_brings_its_own_stride_and_decoder():
    words = ["data=synthetic", "machine.accelerator=cpu"]
    assert recipe_from_words(words).model.output_stride == 32
    own = recipe_from_words([*words, "model.encoder=vit_small_patch14_dinov2", "loader.crop=196"])
    assert own.model.output_stride is None and own.model.decoder.name == "auto"
