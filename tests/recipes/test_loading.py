"""Recipes are composed of defaults, a file, and the words of the user."""

import sys
from pathlib import Path

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.config import merge
from fewmask.errors import UserError
from fewmask.recipes import Recipe, load_recipe


def test_precedence_defaults_then_file_then_command_line():
    assert (
        recipe_from_words(["synthetic"]).training.lr != Recipe.model_fields["training"].default.lr
    )
    assert recipe_from_words(["synthetic", "training.lr=1e-4"]).training.lr == 1e-4


def test_another_method_starts_from_its_own_defaults():
    base = {"method": {"name": "imas", "threshold": 0.7}}
    assert merge(base, {"method": {"name": "supervised"}}) == {"method": {"name": "supervised"}}
    assert merge(base, {"method": {"name": "imas", "ema_decay": 0.9}})["method"]["threshold"] == 0.7


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


def test_another_length_or_interval_replaces_that_of_one_evaluation_in_each_pass():
    """With 92 labels a pass of `supervised` is 5 steps: 4,000 evaluations in 20,000 steps."""

    def training(*words: str):
        return recipe_from_words(["voc/supervised", "data.root=x", *words]).training

    assert training().evaluate_every_epochs == 1
    assert training("training.epochs=40").evaluate_every_epochs == 1
    for word in ("training.steps=20000", "training.minutes=5", "training.evaluate_every=9"):
        assert training(word).evaluate_every_epochs is None
    both = training("training.steps=20000", "training.evaluate_every_epochs=10")
    assert (both.steps, both.evaluate_every_epochs) == (20_000, 10)


def test_epochs_that_the_user_gives_replace_the_steps_of_the_file(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "data: {name: synthetic}\n"
        "methods: {imas: {copy_steps: 9}, pcr: {warmup_steps: 9, threshold: 0.7}}\n"
    )

    def method(*words):
        return recipe_from_words([file, *words]).method

    assert method("method.copy_epochs=2").copy_steps is None
    pcr = method("method=pcr", "method.warmup_epochs=2")
    assert (pcr.warmup_epochs, pcr.warmup_steps, pcr.threshold) == (2, None, 0.7)
    assert method("method=pcr", "method.threshold=0.5").warmup_steps == 9
    both = ("method.warmup_epochs=2", "method.warmup_steps=3")
    assert method("method=pcr", *both).warmup_steps == 3


def test_a_misspelt_method_in_a_recipe_is_named(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("data: {name: synthetic}\nmethods: {imsa: {threshold: 0.7}}\n")
    with pytest.raises(UserError, match=r"methods.imsa: .*Did you mean 'imas'"):
        recipe_from_words([file])


def test_options_for_one_method_as_given_take_precedence(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "data: {name: synthetic}\n"
        "method: {name: imas, threshold: 0.6}\n"
        "methods: {imas: {threshold: 0.7, ema_decay: 0.9}}\n"
    )
    words = [file, "method.threshold=0.8", "methods.imas.threshold=0.5", "methods.pcr.cells=8"]
    imas = recipe_from_words(words).method
    assert (imas.name, imas.threshold, imas.ema_decay) == ("imas", 0.5, 0.9)
    pcr = recipe_from_words([*words, "method=pcr"]).method
    assert (pcr.name, pcr.threshold, pcr.cells) == ("pcr", 0.8, 8)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("methods.gta.keep_procent=9", "methods.gta.keep_procent: unknown .*gta.keep_percent'"),
        ("methods.gta.keep_percent=much", "methods.gta.keep_percent='much'"),
        ("methods.gta=9", "methods.gta=9: expected options. Write them as methods.gta.KEY=VALUE"),
        ("methods=9", "methods=9: expected options"),
        ("methods.gta.name=pcr", "methods.gta.name=pcr: expected gta"),
        ("methods.no_such.module:X.a=1", "no module 'no_such'"),
    ],
)
def test_options_of_a_method_that_is_not_chosen_are_checked(word, says):
    with pytest.raises(UserError, match=says):
        recipe_from_words(["synthetic", "method=imas", word])


def test_a_file_may_name_a_method_that_cannot_be_imported_here(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text('data: {name: synthetic}\nmethods: {"no_such:X": {a: 1}}\n')
    assert recipe_from_words([file]).method.name == "imas"


DECODER = """
from fewmask.models.decoders.decoder import Decoder

class D(Decoder):
    class Config(Decoder.Config):
        channels: int = 64
        depth: int = 1
"""


@pytest.fixture
def decoder_lab(tmp_path: Path, monkeypatch) -> Path:
    (tmp_path / "decoder_lab.py").write_text(DECODER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "decoder_lab", raising=False)
    return tmp_path


@pytest.mark.parametrize("decoder", ['"decoder_lab:D"', '{name: "decoder_lab:D", depth: 2}'])
def test_an_option_reaches_the_decoder_that_the_file_names(decoder_lab: Path, decoder):
    file = decoder_lab / "mine.yaml"
    file.write_text(f"data: {{name: synthetic}}\nmodel: {{decoder: {decoder}}}\n")
    found = recipe_from_words([file, "model.decoder.channels=16"]).model.decoder
    assert (found.name, found.channels) == ("decoder_lab:D", 16)
    assert found.depth == (2 if "depth" in decoder else 1)


def test_another_decoder_drops_the_options_of_the_one_that_the_file_leaves_unnamed(decoder_lab):
    file = decoder_lab / "old.yaml"
    file.write_text("data: {name: synthetic}\nmodel: {decoder: {low_level_channels: 16}}\n")
    assert recipe_from_words([file]).model.decoder.low_level_channels == 16
    assert recipe_from_words([file, "model.decoder=decoder_lab:D"]).model.decoder.channels == 64
    same = recipe_from_words([file, "model.decoder=deeplabv3plus"]).model.decoder
    assert same.low_level_channels == 16


def test_a_decoder_may_be_given_as_a_word_in_python(decoder_lab):
    given = {"model": {"decoder": "decoder_lab:D"}}
    assert load_recipe("synthetic", given).model.decoder.name == "decoder_lab:D"


def test_an_option_without_its_section_is_found():
    with pytest.raises(UserError, match=r"steps: unknown option. Did you mean 'training.steps'"):
        recipe_from_words(["synthetic", "steps=100"])
    with pytest.raises(UserError, match="methd: unknown option. Did you mean 'method'"):
        recipe_from_words(["synthetic", "methd=imas"])


def test_a_recipe_builds_on_another(tmp_path: Path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "common.yaml").write_text(
        "base: auto/cpu\nloader: {crop: 97}\nmethods: {pcr: {threshold: 0.7}}\n"
    )
    file = tmp_path / "mine.yaml"
    file.write_text(
        "base: parts/common.yaml\ndata: {name: synthetic}\ntraining: {steps: 9}\n"
        "method: {name: pcr}\n"
    )
    recipe = recipe_from_words([file, "loader.labeled_batch=3"])
    cpu = recipe_from_words(["auto/cpu", "data=synthetic", "method=pcr"])
    assert recipe.model == cpu.model and recipe.method.warmup_steps == cpu.method.warmup_steps
    assert (recipe.loader.crop, recipe.loader.labeled_batch) == (97, 3)
    assert recipe.method.threshold == 0.7
    assert (recipe.training.steps, recipe.training.minutes) == (9, None)
    assert recipe_from_words([file, "training.minutes=2"]).training.minutes == 2


def test_a_recipe_cannot_build_on_itself(tmp_path: Path):
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("base: other.yaml\n")
    other.write_text("base: one.yaml\n")
    with pytest.raises(UserError, match=r"its own base: .*one.yaml -> .*other.yaml -> .*one.yaml"):
        recipe_from_words([one])


def test_an_encoder_of_your_own_drops_the_automatic_model_of_every_machine():
    for machine in ("cpu", "gpu"):
        words = [f"auto/{machine}", "data=synthetic", "model.encoder=resnet50"]
        model = recipe_from_words(words).model
        assert (model.encoder, model.decoder.name) == ("resnet50", "auto")
        assert model.output_stride is None


def test_a_shipped_recipe_comes_before_a_file_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = {name: recipe_from_words([*name, "data=synthetic"]) for name in ((), ("camvid",))}
    for name in ("auto/cpu", "auto/gpu", "camvid"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("method: {name: no.such:Method}\n")
    for name, recipe in shipped.items():
        assert recipe_from_words([*name, "data=synthetic"]) == recipe
    with pytest.raises(UserError, match="no.such"):
        recipe_from_words(["./camvid", "data=synthetic"])  # as a path, it is meant
