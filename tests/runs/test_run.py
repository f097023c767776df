"""A run on disk is opened once: recipe, data, networks, scores."""

import pickle
import shutil

import numpy as np
import pytest

import fewmask
from fewmask.data.sources.synthetic import Synthetic
from fewmask.errors import UserError
from fewmask.runs.run import Run, load_network, open_runs
from tests.conftest import TINY_WORDS
from tests.photos import ten_photos
from tests.program import TINY_PHOTOS

WORDS = ("synthetic", *TINY_WORDS, "training.steps=2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    for name, words in (("a", ()), ("b", ("seed=1",)), ("c", ("data.val=5",))):
        fewmask.train(*WORDS, "method=imas", *words, out=home / name)
    return home


def test_everything_of_a_run_is_at_hand(folders):
    run = Run.open(folders / "a")
    assert run.recipe.training.steps == 2 and len(run.data.val) == 4
    assert [*run.scores] == ["teacher", "student"] and run.is_finished
    assert run.data is run.data and list(run.val.names) == list(run.data.val.names)
    image = run.val.image(0)
    assert run.network("student").predict(image).mask.shape == image.shape[:2]
    assert str(folders / "a") in repr(run)


def test_changes_apply_to_this_run_alone(folders):
    changed = Run.open(folders / "a", changes={"data": {"val": 6}, "evaluation": {"flip": True}})
    assert changed.recipe.evaluation.flip and len(changed.val) == 6
    assert not Run.open(folders / "a").recipe.evaluation.flip


def test_runs_on_the_same_data_share_it(folders, monkeypatch):
    count = []
    original = Synthetic.open
    monkeypatch.setattr(Synthetic, "open", lambda self: count.append(1) or original(self))
    a, b, c = open_runs([folders / name for name in "abc"])
    assert a.data is b.data and a.data is not c.data and len(c.data.val) == 5
    assert len(count) == 2


def test_a_run_killed_before_its_last_checkpoint_is_not_finished(folders, tmp_path):
    folder = shutil.copytree(folders / "a", tmp_path / "a")
    run = Run.open(folder)
    heading, *_, row = run.paths.times.read_text().splitlines(keepends=True)
    run.paths.times.write_text(heading + row.replace("2,", "1,", 1))
    assert run.scores and not run.is_finished
    resumed = fewmask.resume(folder)
    assert resumed.is_finished and resumed.scores == run.scores
    assert run.paths.times.read_text().count("\n2,") == 1
    fewmask.resume(folder)
    assert run.paths.times.read_text().count("\n2,") == 1


def test_a_run_before_its_first_evaluation_has_no_scores(folders, tmp_path):
    folder = shutil.copytree(folders / "a", tmp_path / "a")
    run = Run.open(folder)
    run.paths.results.unlink()
    assert run.scores == {} and not run.is_finished
    with pytest.raises(UserError, match="not the folder of a run with results"):
        _ = run.result


def test_what_is_no_run_is_named(folders, tmp_path):
    with pytest.raises(UserError, match="is not a run folder: it has no recipe.yaml"):
        Run.open(tmp_path)
    with pytest.raises(UserError, match="is not a run folder"):
        load_network(tmp_path)
    with pytest.raises(UserError, match="holds one network. To use 'student'"):
        load_network(Run.open(folders / "a").paths.best, "student")


def test_a_network_comes_from_the_folder_or_the_file(folders):
    run = Run.open(folders / "a")
    image = run.val.image(1)
    masks = [load_network(place).predict(image).mask for place in (run.folder, run.paths.best)]
    assert np.array_equal(*masks)


def test_reading_the_same_images_in_another_way_changes_no_score(tmp_path):
    """More masks would hold out other images; a run is scored on those it held out itself."""
    home = ten_photos(tmp_path)
    for name in ("p0", "p1"):
        (home / "masks" / f"{name}.png").rename(tmp_path / f"{name}.png")
    words = (f"data={home}", "data.names=[a, b]", "method=supervised", "training.steps=1")
    run = fewmask.train(*words, *TINY_PHOTOS, "data.val_fraction=0.5", out=tmp_path / "run")
    held_out = list(run.val.names)
    for name in ("p0", "p1"):
        (tmp_path / f"{name}.png").rename(home / "masks" / f"{name}.png")
    changes = {"data": {"in_memory": True, "cache": str(tmp_path / "cache")}}
    assert list(Run.open(run.folder, changes=changes).val.names) == held_out
    other = Run.open(run.folder, changes={"data": {"val_fraction": 0.2}})
    assert list(other.val.names) != held_out


def test_an_open_run_can_be_sent_to_other_processes(folders):
    run = Run.open(folders / "a", tell=lambda note: None)
    again = pickle.loads(pickle.dumps(run))
    assert again.folder == run.folder and len(again.val) == 4


def test_damaged_scores_are_no_missing_scores(folders, tmp_path):
    folder = shutil.copytree(folders / "a", tmp_path / "a")
    run = Run.open(folder)
    run.paths.facts.write_text("{")
    with pytest.raises(UserError, match="not the folder of a run with results"):
        _ = run.scores


def test_a_missing_checkpoint_is_named_as_one(tmp_path):
    with pytest.raises(UserError, match="There is no checkpoint .*x.pt"):
        load_network(tmp_path / "x.pt")


def test_runs_that_read_other_bands_do_not_share_their_data(folders, tmp_path):
    folder = shutil.copytree(folders / "a", tmp_path / "four")
    text = (folder / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(text.replace("in_channels: 3", "in_channels: 4"))
    three, four = open_runs([folders / "a", folder])
    assert len(three.data.val) == 4
    with pytest.raises(UserError, match=r"3 band\(s\), but model.in_channels=4"):
        _ = four.data
