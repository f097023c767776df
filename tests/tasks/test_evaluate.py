"""A run is scored as it was trained, or with the changes that are asked for."""

import pytest

import fewmask
from fewmask.errors import UserError
from fewmask.runs.run import Run
from fewmask.tasks.evaluate import evaluate, examine
from tests.conftest import TINY_WORDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    words = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=2")
    return fewmask.train(*words, out=tmp_path_factory.mktemp("evaluate") / "run").folder


def test_scores_are_those_that_training_recorded(folder):
    run = Run.open(folder)
    classes, scores = evaluate(run, "student")
    assert classes.names == run.data.classes.names
    assert scores.miou == pytest.approx(run.scores["student"].miou, abs=0.01)
    assert examine(run, "student")[1].scores.miou == pytest.approx(scores.miou, abs=1e-6)


def test_data_of_other_classes_is_refused(folder, tmp_path, photos):
    changes = {"data": {"name": "folder", "root": photos, "names": ["a", "b"]}}
    for score in (evaluate, examine):
        with pytest.raises(UserError, match=r"was trained on the classes .* data has \['a', 'b'\]"):
            score(Run.open(folder, changes=changes))


def test_it_tells_how_far_it_has_come(folder, talkative, capsys):
    for score in (evaluate, examine):
        score(Run.open(folder), "student")
        lines = capsys.readouterr().out.splitlines()
        shown = [line for line in lines if line.startswith("evaluating image")]
        assert len(shown) == 4 and shown[-1].startswith("evaluating image 4/4  after ")
