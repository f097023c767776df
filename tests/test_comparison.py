"""Comparisons: what is missing is trained, what is done is kept, and the verdict is in words."""

import numpy as np
import pytest

from fewmask.errors import UserError
from fewmask.recipes.recipe import load_recipe
from fewmask.run_folder.result import NetworkScore
from fewmask.tasks import compare, train
from fewmask.tasks.compare import Comparison, Row
from tests.conftest import TINY_WORDS

WORDS = ["synthetic", *TINY_WORDS, "training.steps=2"]


def test_finished_runs_are_kept_and_missing_ones_trained(tmp_path, capsys, monkeypatch):
    first = compare.compare(WORDS, ["supervised"], range(1), tmp_path)
    before = (tmp_path / "supervised-seed0/weights/last.pt").stat().st_mtime_ns
    capsys.readouterr()
    both = compare.compare(WORDS, ["supervised", "imas"], range(2), tmp_path)
    printed = capsys.readouterr().out
    assert "done before" in printed and printed.count("done before") == 1
    assert (tmp_path / "supervised-seed0/weights/last.pt").stat().st_mtime_ns == before
    assert [row.method for row in both.rows] == ["supervised", "imas"]
    supervised, imas = both.rows
    assert first.rows[0].counts.shape == (1, 3, 4, 7) and imas.counts.shape == (2, 3, 4, 7)
    assert np.nanmean(first.rows[0].iou) == pytest.approx(first.rows[0].scores[0].last, abs=0.01)
    assert compare.table(both).row_count == 2 and compare.class_table(both).row_count == 7
    (said,) = compare.verdict(both)
    assert said.startswith("imas: ") and "4 val image(s) are too few for a verdict" in said
    compare.picture(both, tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 1000


def test_an_interrupted_run_is_resumed(tmp_path, monkeypatch):
    words = [*WORDS[:-1], "training.steps=4", "training.checkpoint_every=1"]
    folder = tmp_path / "supervised-seed0"
    from fewmask.engine.trainer import Trainer

    whole = Trainer.run
    monkeypatch.setattr(Trainer, "run", lambda self, **options: whole(self, last_step=2) and {})
    assert compare.compare(words, ["supervised"], range(1), tmp_path) is None
    monkeypatch.undo()
    resumed = []
    resume = train.resume
    monkeypatch.setattr(train, "resume", lambda f: resumed.append(f) or resume(f))
    assert compare.compare(words, ["supervised"], range(1), tmp_path) is not None
    assert resumed == [folder]


def test_other_settings_are_refused_before_training(tmp_path):
    compare.compare(WORDS, ["supervised"], range(1), tmp_path)
    with pytest.raises(UserError, match="holds a run with other settings"):
        compare.compare([*WORDS, "training.lr=0.1"], ["supervised"], range(1), tmp_path)
    with pytest.raises(UserError, match="--methods and --seeds"):
        compare.compare([*WORDS, "seed=3"], ["supervised"], range(1), tmp_path)


def row(method, hits):
    hits = np.asarray(hits)
    full = np.full_like(hits, 100)
    counts = np.stack([hits, full, full])[None]
    return Row(method, [], [NetworkScore(0, 0, 1)], counts, 1.0, 1.0)


def test_the_verdict_names_help_harm_and_the_classes_that_lose():
    data = load_recipe("synthetic", ["data.val=30"]).source().open()
    base = np.full((30, len(data.classes)), 40)
    better, worse, mixed = base + 5, base - 5, base.copy()
    better[:, 2] = 30
    mixed[::2] += 9
    mixed[1::2] -= 9
    rows = [row("supervised", base), row("a", better), row("b", worse), row("c", mixed)]
    helped, harmed, unclear = compare.verdict(Comparison(rows, data))
    assert helped.startswith("a helped: +") and f"Worse: {data.classes.names[2]} -10.0" in helped
    assert "b did harm" in harmed and "without the unlabeled images" in harmed
    assert "c made no difference" in unclear
    assert "nothing to compare with" in compare.verdict(Comparison(rows[1:], data))[0]
