"""Each command opens its data once, however many runs, seeds and networks it works with."""

import shutil
from collections import Counter

import pytest

import fewmask
from fewmask.data.sources.folder import Folder
from fewmask.data.sources.synthetic import Synthetic
from tests.conftest import TINY_WORDS
from tests.photos import ten_photos
from tests.program import TINY_PHOTOS
from tests.program import fewmask as program

SCENES = ("synthetic", *TINY_WORDS, "training.steps=1")


@pytest.fixture
def opened(monkeypatch):
    """Counts how often each source is opened."""
    counts = Counter()
    for source in (Folder, Synthetic):

        def count(self, source=source, original=source.open):
            counts[source.__name__] += 1
            return original(self)

        monkeypatch.setattr(source, "open", count)
    return counts


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two runs on scenes, one on photos, and the photos."""
    home = tmp_path_factory.mktemp("once")
    photos = ten_photos(home)
    for method in ("supervised", "imas"):
        fewmask.train(*SCENES, f"method={method}", out=home / method)
    words = (f"data={photos}", "data.names=[a, b]", *TINY_PHOTOS, "training.steps=1")
    fewmask.train(*words, out=home / "photos")
    return home


def test_compare_of_two_methods_and_three_seeds(opened, tmp_path):
    words = ("--methods", "supervised,imas", "--seeds", "3")
    program("compare", *SCENES, *words, cwd=tmp_path)
    assert len(list(tmp_path.glob("runs/comparison/*-seed?"))) == 6
    assert opened == {"Synthetic": 1}
    program("compare", *SCENES, *words, cwd=tmp_path)  # everything is finished already
    assert opened == {"Synthetic": 2}


@pytest.mark.parametrize(
    "words",
    [
        ("train", *SCENES, "--out", "new"),
        ("train", *SCENES, "--dry-run"),
        ("evaluate", "imas"),
        ("evaluate", "imas", "--weights", "student", "--closely"),
        ("report", "imas"),
        ("report", "supervised", "imas", "--out", "both.html"),
        ("rank", "imas", "--out", "rank"),
        ("split", "synthetic", "--size", "2"),
    ],
    ids=" ".join,
)
def test_commands_on_scenes(words, opened, home):
    program(*words, cwd=home)
    assert opened == {"Synthetic": 1}
    shutil.rmtree(home / "new", ignore_errors=True)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("train", "data=source", *TINY_PHOTOS, "training.steps=1", "--out", "new"), 0),
        (("check", "source"), 1),
        (("evaluate", "photos"), 0),
        (("report", "photos"), 0),
        (("rank", "photos", "--out", "rank"), 0),
        (("pseudo", "photos", "--out", "pseudo"), 0),
        (("split", "data=source", "--size", "1"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_commands_on_photos(words, code, opened, home):
    program(*words, cwd=home, code=code)
    assert opened == {"Folder": 1}
    shutil.rmtree(home / "new", ignore_errors=True)


def test_resume(opened, home, tmp_path):
    for name, source in (("imas", "Synthetic"), ("photos", "Folder")):
        run = shutil.copytree(home / name, tmp_path / name)
        program("train", "--resume", run, "training.steps=2")
        assert opened == {source: 1}
        opened.clear()


def test_results_and_prediction_open_no_data(opened, home):
    program("results", "supervised", "imas", cwd=home)
    program("predict", "photos", "source/images", "--out", "predictions", cwd=home)
    assert not opened
