"""Sinks are chosen by plain word or import path, and mistakes are named before training starts."""

import re
import sys

import pytest

import fewmask
from fewmask.cli.words import recipe_from_words
from fewmask.engine.sinks.choosing import RUN_FOLDER_SINKS, LoggingConfig, create_sinks
from fewmask.engine.sinks.tensorboard import TensorBoard
from fewmask.errors import UserError
from tests.conftest import TINY_WORDS

TINY = ("synthetic", *TINY_WORDS, "method=supervised", "training.steps=2")
POST = """
from fewmask.engine.sinks import Sink

class Post(Sink):
    class Config(Sink.Config):
        url: str = "http://localhost"

    def open(self, paths, first_step):
        (paths.folder / "post.txt").write_text(f"{self.config.url} from {first_step}")

class NoSink:
    pass
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    (tmp_path / "sink_lab.py").write_text(POST)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "sink_lab", raising=False)
    return tmp_path


def chosen(*words):
    return create_sinks(recipe_from_words(["synthetic", *words]).logging)


def test_every_run_writes_the_files_of_its_folder():
    assert [type(sink) for sink in chosen()] == [*RUN_FOLDER_SINKS]


@pytest.mark.parametrize("word", ["tensorboard", "[tensorboard]", "{name: tensorboard}"])
def test_a_sink_is_added_by_its_word(word):
    pytest.importorskip("tensorboard")
    kinds = [type(sink) for sink in chosen(f"logging.sinks={word}")]
    assert kinds == [*RUN_FOLDER_SINKS, TensorBoard]


def test_options_of_your_own_sink_are_checked(lab):
    *_, post = chosen('logging.sinks=[{name: "sink_lab:Post", url: there}]')
    assert post.config.url == "there"
    with pytest.raises(UserError, match=r"logging\.sinks.*\.ulr: unknown option.*url'"):
        chosen('logging.sinks=[{name: "sink_lab:Post", ulr: there}]')


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("tensorbord", "logging.sinks=tensorbord: unknown sink. Did you mean 'tensorboard'?"),
        ("[{url: there}]", "the sink has no name"),
        ('["sink_lab:Nothing"]', "logging.sinks=sink_lab:Nothing: module 'sink_lab' has no 'Noth"),
        ('["no_lab:Post"]', "logging.sinks=no_lab:Post: there is no module 'no_lab'"),
        ('["sink_lab:NoSink"]', "logging.sinks=sink_lab:NoSink: this is not a class that derives"),
    ],
)
def test_a_wrong_sink_ends_a_run_before_it_begins(word, says, lab):
    with pytest.raises(UserError, match=re.escape(says)):
        fewmask.train(*TINY, f"logging.sinks={word}", out=lab / "run")
    assert not (lab / "run").exists()


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("[tensorbord]", r"sinks=tensorbord: unknown sink. Did you mean 'tensorboard'"),
        ('[{name: "sink_lab:Post", ulr: there}]', r"\.ulr: unknown option"),
        ('["sink_lab:NoSink"]', "not a class that derives from fewmask.engine.sinks.sink.Sink"),
    ],
)
def test_a_wrong_sink_is_refused_with_the_recipe(word, says, lab):
    with pytest.raises(UserError, match=says):
        recipe_from_words(["synthetic", f"logging.sinks={word}"])


def test_a_recipe_may_name_a_sink_whose_package_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = recipe_from_words(["synthetic", "logging.sinks=tensorboard"]).logging
    with pytest.raises(UserError, match="needs the package tensorboard"):
        create_sinks(config)


def test_sinks_may_change_when_a_run_is_resumed(lab):
    run = fewmask.train(*TINY, out=lab / "run").folder
    assert not (run / "tb").exists() and not (run / "post.txt").exists()
    before = (run / "recipe.yaml").read_text()
    with pytest.raises(UserError, match="unknown sink"):
        fewmask.resume(run, "logging.sinks=nothing", "training.steps=3")
    assert (run / "recipe.yaml").read_text() == before
    fewmask.resume(run, "logging.sinks=sink_lab:Post", "training.steps=3")
    assert (run / "post.txt").read_text() == "http://localhost from 2"


def test_a_recipe_written_before_there_were_sinks_has_none(lab):
    recipe = recipe_from_words(["synthetic"])
    old = recipe.to_yaml().replace("logging:\n  sinks: []\n", "")
    assert "logging" not in old
    (lab / "old.yaml").write_text(old)
    assert recipe_from_words([lab / "old.yaml"]).logging == LoggingConfig()
