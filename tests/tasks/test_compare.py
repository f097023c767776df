"""Comparisons: what is missing is trained, what is done is kept."""

import re

import numpy as np
import pytest

import fewmask
from fewmask.cli.words import comparison_recipes
from fewmask.errors import Stopped, UserError
from fewmask.report.comparison import class_table, table
from fewmask.report.verdict import verdict
from fewmask.run_folder.lock import one_writer
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.subsets import read_fingerprints
from fewmask.runs.run import Run
from fewmask.tasks import compare, train
from tests.conftest import TINY_WORDS
from tests.data.pools import write_folder
from tests.models.encoders.hubs import use_cache, with_package, without_packages
from tests.program import TINY_PHOTOS

WORDS = ["synthetic", *TINY_WORDS, "training.steps=2"]


def compared(words, methods, seeds, out):
    return compare.compare(comparison_recipes(words, methods, seeds), out)


def test_finished_runs_are_kept_and_missing_ones_trained(tmp_path, capsys, monkeypatch):
    first = compared(WORDS, ["supervised"], range(1), tmp_path)
    before = (tmp_path / "supervised-seed0/weights/last.pt").stat().st_mtime_ns
    capsys.readouterr()
    both = compared(WORDS, ["supervised", "imas"], range(2), tmp_path)
    printed = capsys.readouterr().out
    assert printed.count("already finished") == 1
    assert (tmp_path / "supervised-seed0/weights/last.pt").stat().st_mtime_ns == before
    assert [row.method for row in both.rows] == ["supervised", "imas"]
    supervised, imas = both.rows
    assert first.rows[0].counts.shape == (1, 3, 4, 7) and imas.counts.shape == (2, 3, 4, 7)
    assert np.nanmean(first.rows[0].iou) == pytest.approx(first.rows[0].scores[0].miou, abs=0.01)
    assert table(both).row_count == 2 and class_table(both).row_count == 7
    (said,) = verdict(both)
    assert said.startswith("iMAS: ") and "4 validation image(s) are too few for a verdict" in said
    compare.picture(both, tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 1000


def test_an_interrupted_run_is_resumed(tmp_path, monkeypatch):
    words = [*WORDS[:-1], "training.steps=4", "training.checkpoint_every=1"]
    folder = tmp_path / "supervised-seed0"
    from fewmask.engine.trainer import Trainer

    whole = Trainer.run

    def interrupted(self, **options):
        self.is_stopped = True
        return whole(self, last_step=2)

    monkeypatch.setattr(Trainer, "run", interrupted)
    with pytest.raises(Stopped):
        compared(words, ["supervised"], range(1), tmp_path)
    monkeypatch.undo()
    resumed = []
    resume = train.resume
    monkeypatch.setattr(
        compare, "resume", lambda f, **options: resumed.append(f) or resume(f, **options)
    )
    compared(words, ["supervised"], range(1), tmp_path)
    assert resumed == [folder]


def test_other_settings_are_refused_before_training(tmp_path):
    compared(WORDS, ["supervised"], range(1), tmp_path)
    with pytest.raises(UserError, match="holds a run with other settings"):
        compare.compare(
            comparison_recipes([*WORDS, "training.lr=0.1"], ["supervised"], range(1)), tmp_path
        )
    with pytest.raises(UserError, match="--methods and --seeds"):
        compared([*WORDS, "seed=3"], ["supervised"], range(1), tmp_path)


def test_other_settings_are_refused_before_any_run_is_trained(tmp_path):
    compared(WORDS, ["supervised", "imas"], range(1), tmp_path)
    with pytest.raises(UserError, match="imas-seed0 holds a run with other settings"):
        changed = [*WORDS, "methods.imas.threshold=0.5"]
        compared(changed, ["supervised", "imas"], range(2), tmp_path)
    assert not (tmp_path / "supervised-seed1").exists()


def test_advice_in_a_comparison_names_options_as_compare_takes_them(tmp_path):
    words = [*WORDS[:-1], "training.steps=4"]
    compared([*words, "methods.imas.threshold=1.0"], ["imas"], range(1), tmp_path / "a")
    log = (tmp_path / "a" / "imas-seed0" / "train.log").read_text()
    assert "Lower methods.imas.threshold" in log
    advised = compared([*words, "methods.imas.threshold=0.5"], ["imas"], range(1), tmp_path / "b")
    assert Run.open(advised.rows[0].folders[0]).recipe.method.threshold == 0.5


def test_a_row_holds_the_curve_of_each_seed(tmp_path):
    (row,) = compared(WORDS, ["imas"], range(2), tmp_path).rows
    assert [[step for step, _ in curve] for curve in row.curves] == [[1, 2], [1, 2]]
    last = [curve[-1][1] for curve in row.curves]
    assert last == pytest.approx([score.miou for score in row.scores])


def test_runs_done_and_to_come_are_listed(tmp_path, capsys):
    compared(WORDS, ["supervised"], range(1), tmp_path)
    capsys.readouterr()
    compared(WORDS, ["supervised", "imas"], range(2), tmp_path)
    printed = capsys.readouterr().out
    for line in (
        "4 runs: supervised seed 0 (done), supervised seed 1, imas seed 0, imas seed 1",
        "run 1 of 4: supervised, seed 0",
        "run 4 of 4: imas, seed 1",
    ):
        assert f"\n{line}\n" in printed
    assert re.search(r"\nstill to come: 1 of supervised, about \d+ s; 2 of imas\n", printed)


def test_a_method_without_unlabeled_images_records_what_it_does_alone(photos, tmp_path):
    pool = write_folder(tmp_path / "pool", 5)
    words = [f"data={photos}", f"data.pool={pool}", "data.names=[a, b]", *TINY_PHOTOS]
    words += ["training.steps=2"]
    compared(words, ["supervised", "imas"], range(1), tmp_path / "both")
    alone = fewmask.train(*words, "method=supervised", out=tmp_path / "alone")
    run = Run.open(tmp_path / "both" / "supervised-seed0")
    assert read_fingerprints(run.paths) == read_fingerprints(alone.paths)
    assert read_fingerprints(run.paths) != read_fingerprints(
        Run.open(tmp_path / "both" / "imas-seed0").paths
    )
    assert fewmask.resume(run.folder, "training.steps=3").is_finished


def test_all_runs_have_the_encoder_that_was_chosen_for_the_first(
    photos, tmp_path, monkeypatch, capsys
):
    use_cache(tmp_path / "cache", monkeypatch)
    with_package(tmp_path / "packages", monkeypatch)
    words = [f"data={photos}", "data.names=[a, b]", *TINY_PHOTOS, "training.steps=1"]
    words += ["model.encoder=auto", "model.pretrained=auto"]
    compared(words, ["supervised"], range(1), tmp_path / "out")
    assert "The encoder is tf_efficientnet_lite0" in capsys.readouterr().out
    without_packages(monkeypatch)
    compared(words, ["supervised"], range(1), tmp_path / "out")  # a finished run needs no weights
    assert "already finished" in capsys.readouterr().out
    with pytest.raises(UserError, match="model.pretrained=package: .* is not installed"):
        compared(words, ["supervised"], range(2), tmp_path / "out")


def test_a_comparison_with_an_encoder_of_ones_own_is_continued(tmp_path, capsys):
    """Its class loads weights by itself, so `auto` becomes false in the runs."""
    words = [*WORDS, "model.encoder=tests.tiny:Encoder", "model.pretrained=auto"]
    for _ in range(2):
        assert compare.compare(comparison_recipes(words, ["supervised"], range(1)), tmp_path)
    assert capsys.readouterr().out.count("already finished") == 1


def test_each_run_knows_how_many_are_left_and_says_its_number(tmp_path, monkeypatch, capsys):
    left, whole = [], compare.train

    def watched(recipe, folder, **options):
        left.append(options["runs"])
        return whole(recipe, folder, **options)

    monkeypatch.setattr(compare, "train", watched)
    compared(WORDS, ["supervised"], range(3), tmp_path)
    assert left == [3, 2, 1] and "run 2 of 3: supervised, seed 1" in capsys.readouterr().out


def test_a_long_comparison_says_so_after_its_first_steps(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fewmask.engine.wording.LONG", 0.0)
    words = [*WORDS[:-1], "training.steps=7"]
    monkeypatch.setattr("fewmask.engine.logger.TRIAL_SECONDS", 0.0)
    compared(words, ["supervised"], range(2), tmp_path)
    first, _, second = capsys.readouterr().out.partition("run 2 of 2:")
    assert first.count("This will take long: 7 steps") == 1 and "; 2 such runs, about" in first
    assert second.count("This will take long: 7 steps") == 1 and "such runs" not in second


def test_images_that_a_run_did_not_note_are_scored_again(tmp_path, talkative, capsys):
    noted = compared(WORDS, ["supervised"], range(1), tmp_path)
    assert "scoring image" not in capsys.readouterr().out
    noted.rows[0].folders[0].joinpath("val_images.npz").unlink()
    again = compared(WORDS, ["supervised"], range(1), tmp_path)
    assert "scoring image 4/4  after " in capsys.readouterr().out
    assert np.array_equal(again.rows[0].counts, noted.rows[0].counts)


def test_one_process_writes_a_comparison(tmp_path):
    with one_writer(tmp_path), pytest.raises(UserError, match="is being written by another"):
        compared(WORDS, ["supervised"], range(1), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [RunPaths(tmp_path).writer.name]
