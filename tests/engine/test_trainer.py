"""The loop of a run: what it logs, when it evaluates, how it stops, what a rehearsal sees."""

import json
import signal

import numpy as np
import pytest
import torch

import fewmask
from fewmask.cli.words import recipe_from_words
from fewmask.config import find
from fewmask.engine import validation
from fewmask.engine.trainer import REHEARSED
from fewmask.engine.validation import FEW
from fewmask.errors import Stopped, UserError
from fewmask.methods import METHODS
from fewmask.methods.supervised import Supervised
from fewmask.run_folder import checkpoint
from fewmask.run_folder.tables import read_table
from fewmask.tasks.rehearse import rehearse
from tests.conftest import TINY_WORDS

TINY = ("synthetic", *TINY_WORDS, "method=supervised", "model.encoder=test_resnet")


@pytest.mark.parametrize("name", ["pcr", "gta"])
def test_a_dry_run_sees_the_warm_up_and_what_comes_after(name, monkeypatch):
    """The later steps take more time and memory, so they are the ones to be told of."""
    kind, seen = find(name, METHODS, "method"), []
    step = kind.step

    def watched(self, batch, minimize, progress):
        scalars = step(self, batch, minimize, progress)
        seen.append((progress.step, minimize.last_round, scalars.used_pixels is not None))
        return scalars

    monkeypatch.setattr(kind, "step", watched)
    words = ("training.steps=50", "training.accumulate=2", "loader.labeled_batch=4")
    small = ("loader.unlabeled_batch=4", "method.warmup_epochs=2", "model.encoder=test_resnet")
    cells = ["method.cells=4"] if name == "pcr" else []
    recipe = recipe_from_words(["synthetic", *TINY_WORDS, f"method={name}", *words, *small, *cells])
    rehearse(recipe)
    rounds = [(0, False), *[(49, True)] * REHEARSED]
    assert seen == [(step, last, late) for step, late in rounds for last in (False, True)]


@pytest.mark.parametrize("what", ["scores", "pseudo_labels"])
def test_a_dry_run_fails_where_the_first_evaluation_would(what, monkeypatch):
    def failing(*args, **kwargs):
        raise UserError("the first evaluation")

    if what == "scores":
        monkeypatch.setattr("fewmask.engine.validation.evaluate", failing)
    else:
        monkeypatch.setattr(find("imas", METHODS, "method"), "pseudo_labels", failing)
    words = ("method=imas", "model.encoder=test_resnet", "training.steps=3")
    with pytest.raises(UserError, match="the first evaluation"):
        rehearse(recipe_from_words(["synthetic", *TINY_WORDS, *words]))


def test_a_dry_run_evaluates_a_few_images(monkeypatch):
    evaluated = []
    evaluate = validation.evaluate

    def watched(network, dataset, *rest):
        evaluated.append(len(dataset))
        return evaluate(network, dataset, *rest)

    monkeypatch.setattr(validation, "evaluate", watched)
    rehearse(recipe_from_words([*TINY, "training.steps=3"]))
    # Once to prepare, and once to see how long it takes.
    assert evaluated == [FEW, FEW]


def test_it_logs_evaluates_and_saves_when_it_is_time(tmp_path):
    words = ("training.steps=7", "training.log_every=2", "training.evaluate_every=3")
    saves = ("training.checkpoint_every=5",)
    run = fewmask.train(*TINY, *words, *saves, out=tmp_path / "run").folder
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3, 4, 5, 6, 7]
    assert [*lines[0]] == ["step", "loss_labeled", "lr", "images_per_second"]
    assert [row["step"] for row in read_table(run / "results.csv")] == ["3", "6", "7"]
    assert [row["step"] for row in read_table(run / "times.csv")] == ["3", "5", "6", "7"]
    assert checkpoint.load(run / "weights" / "last.pt")["step"] == 7


def test_a_signal_ends_it_after_the_step_and_says_how_to_resume(tmp_path, monkeypatch):
    step = Supervised.step

    def interrupted(self, batch, minimize, progress):
        if progress.step == 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, batch, minimize, progress)

    monkeypatch.setattr(Supervised, "step", interrupted)
    rarely = [f"training.{what}_every=5" for what in ("log", "evaluate", "checkpoint")]
    with pytest.raises(Stopped) as stopped:
        fewmask.train(*TINY, "training.steps=5", *rarely, out=tmp_path / "run")
    assert stopped.value.number == signal.SIGINT
    run = fewmask.Run.open(tmp_path / "run")
    # What was reported since the last log line is not lost.
    assert [json.loads(line)["step"] for line in run.paths.metrics.open()] == [2]
    assert [row["step"] for row in read_table(run.paths.times)] == ["2"]
    said = (run.folder / "train.log").read_text()
    assert not run.is_finished and checkpoint.load(run.folder / "weights" / "last.pt")["step"] == 2
    assert "Stopped after step 2 of 5. Everything is saved. To continue: fewmask train " in said
    assert said.rstrip().endswith(f"--resume {run.folder}")


def test_a_loss_that_is_no_number_ends_it_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    step = Supervised.step

    def diverging(self, batch, minimize, progress):
        factor = float("nan") if progress.step == 3 else 1.0
        return step(self, batch, lambda loss, over: minimize(factor * loss, over), progress)

    monkeypatch.setattr(Supervised, "step", diverging)
    with pytest.raises(UserError, match=r"at step 4: training has diverged.*training\.lr"):
        fewmask.train(
            *TINY, "training.steps=5", "training.checkpoint_every=1", out=tmp_path / "run"
        )
    assert checkpoint.load(tmp_path / "run" / "weights" / "last.pt")["step"] == 3


def test_a_run_killed_before_its_last_scores_gets_them_when_resumed(tmp_path):
    run = fewmask.train(*TINY, "training.steps=2", out=tmp_path / "run").folder
    before = read_table(run / "results.csv")
    (run / "results.csv").unlink()
    fewmask.resume(run)
    assert read_table(run / "results.csv") == [row for row in before if row["step"] == "2"]


def test_best_is_the_main_network_at_its_best_evaluation(tmp_path):
    words = ("training.steps=6", "training.evaluate_every=1", "training.lr=0.05")
    run = fewmask.train(*TINY, *words, out=tmp_path / "run").folder
    best = checkpoint.load(run / "weights" / "best.pt")
    scores = [float(row["miou"]) for row in read_table(run / "results.csv")]
    assert best["network"] == "student" and best["step"] == 1 + int(np.argmax(scores))
    assert best["miou"] == pytest.approx(max(scores), abs=1e-4)


def test_every_accumulation_round_draws_from_a_seed_of_its_own(tmp_path, monkeypatch):
    seeds, step = [], Supervised.step

    def watched(self, *args):
        seeds.append(torch.initial_seed())
        return step(self, *args)

    monkeypatch.setattr(Supervised, "step", watched)
    words = ("training.steps=2", "training.accumulate=2", "loader.labeled_batch=4")
    fewmask.train(*TINY, *words, out=tmp_path / "run")
    assert len(seeds) == len(set(seeds)) == 4


def test_options_of_the_supervised_loss_reach_the_first_step(tmp_path):
    def loss(**options):
        words = [f"method.supervised_loss.{key}={value}" for key, value in options.items()]
        words += ["model.aux_head=true", "training.steps=1"]
        run = fewmask.train(*TINY, *words, out=tmp_path / "-".join(map(str, options.values())))
        return json.loads(run.paths.metrics.read_text().splitlines()[0])["loss_labeled"]

    main, half, whole = (loss(aux_weight=weight) for weight in (0.0, 0.5, 1.0))
    assert half == pytest.approx((main + whole) / 2, abs=1e-3) and main < half < whole
    hard = {"aux_weight": 0.0, "kind": "ohem", "ohem_min_kept": 1}
    assert loss(**hard, ohem_threshold=1.0) == pytest.approx(main, abs=1e-3)
    assert loss(**hard, ohem_threshold=0.1) > main + 0.1


def test_what_is_shown_of_the_time_changes_no_number(tmp_path, talkative, capsys):
    words = ("training.steps=6", "training.log_every=3", "training.evaluate_every=3")
    run = fewmask.train(*TINY, *words, out=tmp_path / "run").folder
    printed = capsys.readouterr().out
    for shown in ("step 1/6  after ", "step 2/6  after ", "student: val image 4/4  after "):
        assert shown in printed
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6]
    losses = [line["loss_labeled"] for line in lines]
    words = (*words[:1], "training.log_every=1", words[2])
    every = fewmask.train(*TINY, *words, out=tmp_path / "every").folder
    each = [json.loads(line) for line in (every / "metrics.jsonl").read_text().splitlines()]
    means = [np.mean([line["loss_labeled"] for line in each[i : i + 3]]) for i in (0, 3)]
    assert losses == pytest.approx(means, abs=1e-4)
