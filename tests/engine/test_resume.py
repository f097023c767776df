"""A resumed run is the same run, bit for bit."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import fewmask
from fewmask import methods
from fewmask.config import find
from fewmask.errors import Stopped, UserError
from fewmask.run_folder import checkpoint
from tests.conftest import TINY_WORDS, short_run_words
from tests.models.encoders.small import FAMILIES, register

STEPS = 12
WORDS = ("training.steps=12", "training.evaluate_every=4", "training.checkpoint_every=1")
METHODS = {name: short_run_words(name) for name in methods.METHODS}


def rows(file: Path) -> list[list[str]]:
    with file.open(newline="") as stream:
        return list(csv.reader(stream))


def losses(run: Path) -> dict[int, tuple[float, ...]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        line["step"]: tuple(v for k, v in line.items() if k != "images_per_second")
        for line in lines
    }


def assert_equal_state(a, b, path="") -> None:
    """Tensors bit for bit, everything else by ==."""
    assert type(a) is type(b), path
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_equal_state(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal_state(x, y, f"{path}[{i}]")
    else:
        assert a == b, path


def assert_same_run(one: Path, other: Path) -> None:
    last = [checkpoint.load(run / "weights" / "last.pt") for run in (one, other)]
    assert_equal_state(*last)
    assert rows(one / "results.csv") == rows(other / "results.csv")
    assert rows(one / "per_class.csv") == rows(other / "per_class.csv")
    for name in ("hardness.csv", "pseudo_labels.csv", "pseudo_shares.csv"):
        assert (one / name).exists() == (other / name).exists()
        if (one / name).exists():
            assert rows(one / name) == rows(other / name)
    assert losses(one) == losses(other)


@pytest.fixture(scope="module", params=METHODS)
def whole(request, tmp_path_factory) -> tuple[str, Path]:
    """One run without interruption, per method."""
    out = tmp_path_factory.mktemp("whole") / request.param
    fewmask.train("synthetic", *TINY_WORDS, *WORDS, *METHODS[request.param], out=out)
    return request.param, out


def test_a_transformer_with_a_part_frozen_is_resumed(tmp_path):
    register()
    words = ("training.steps=4", "training.evaluate_every=2", "training.checkpoint_every=1")
    encoder = ("model.encoder=small_dinov2", "model.frozen_stages=1", "model.drop_path=0.2")
    options = ("model.checkpointing=true", "training.layer_decay=0.8", "training.schedule=constant")
    adamw = ("training.optimizer=adamw", *encoder, *options)
    words = ("synthetic", *TINY_WORDS, *words, *METHODS["imas"], *adamw)
    fewmask.train(*words, out=tmp_path / "whole")
    fewmask.train(*words, "training.steps=2", out=tmp_path / "part")
    shutil.copy(tmp_path / "whole" / "recipe.yaml", tmp_path / "part" / "recipe.yaml")
    fewmask.resume(tmp_path / "part")
    last = [checkpoint.load(tmp_path / run / "weights" / "last.pt") for run in ("whole", "part")]
    assert last[0]["step"] == 4 and losses(tmp_path / "whole")[4]
    assert_equal_state(*(run["method"] for run in last))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_encoders_is_resumed_exactly(family, tmp_path):
    register()
    words = ("synthetic", *TINY_WORDS, *METHODS["supervised"], f"model.encoder={family}")
    words += ("training.optimizer=adamw", "training.schedule=constant", "training.precision=bf16")
    fewmask.train(*words, "training.steps=3", out=tmp_path / "whole")
    fewmask.train(*words, "training.steps=1", out=tmp_path / "part")
    before = checkpoint.load(tmp_path / "part" / "weights" / "last.pt")["method"]
    fewmask.resume(tmp_path / "part", "training.steps=3")
    last = [checkpoint.load(tmp_path / run / "weights" / "last.pt") for run in ("whole", "part")]
    assert_equal_state(*(run["method"] for run in last))
    assert any(not torch.equal(x, last[0]["method"][name]) for name, x in before.items())


def test_interrupted_and_resumed_with_other_workers(whole, tmp_path, monkeypatch):
    name, complete = whole
    method = find(name, methods.METHODS, "method")
    step = method.step

    def step_and_stop(self, batch, minimize, progress):
        if progress.step == 6:
            signal.raise_signal(signal.SIGTERM)
        return step(self, batch, minimize, progress)

    monkeypatch.setattr(method, "step", step_and_stop)
    out = tmp_path / "run"
    with pytest.raises(Stopped) as stopped:
        fewmask.train("synthetic", *TINY_WORDS, *WORDS, *METHODS[name], out=out)
    assert stopped.value.number == signal.SIGTERM
    assert not fewmask.Run.open(out).is_finished
    assert checkpoint.load(out / "weights" / "last.pt")["step"] == 7
    monkeypatch.setattr(method, "step", step)
    code = f"import fewmask; fewmask.resume({str(out)!r}, 'machine.workers=2')"
    subprocess.run([sys.executable, "-c", code], check=True)  # a new process
    assert_same_run(complete, out)


@pytest.mark.parametrize("whole", ["supervised", "imas"], indirect=True)
def test_killed_at_any_moment(whole, tmp_path):
    name, complete = whole
    out = tmp_path / "run"
    words = [*TINY_WORDS, *WORDS, *METHODS[name]]
    code = f"import fewmask; fewmask.train('synthetic', *{words!r}, out={str(out)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    while not (out / "weights" / "last.pt").exists():
        time.sleep(0.01)
        assert process.poll() is None
    time.sleep(torch.rand(()).item() * 0.5)
    process.kill()
    process.wait()
    assert checkpoint.load(out / "weights" / "last.pt")["step"] >= 1
    fewmask.resume(out)
    assert_same_run(complete, out)


def test_evaluating_changes_nothing_of_what_is_learned(whole, tmp_path):
    name, complete = whole
    words = [*TINY_WORDS, *WORDS, *METHODS[name], "training.evaluate_every=12"]
    out = fewmask.train("synthetic", *words, out=tmp_path / "run").folder
    runs = [checkpoint.load(run / "weights" / "last.pt") for run in (complete, out)]
    assert_equal_state(*(run["method"] for run in runs))
    assert len(rows(complete / "results.csv")) > len(rows(out / "results.csv"))


def test_a_finished_run_can_be_resumed_and_only_says_its_scores(whole):
    name, complete = whole
    before = rows(complete / "results.csv")
    scores = fewmask.resume(complete).scores
    last = {row[1]: float(row[2]) for row in before[1:] if row[0] == str(STEPS)}
    assert {k: round(v.miou, 4) for k, v in scores.items()} == last
    assert rows(complete / "results.csv") == before


@pytest.mark.parametrize("whole", ["supervised"], indirect=True)
def test_a_kill_between_creating_a_file_and_its_header_is_survived(whole, tmp_path):
    run = shutil.copytree(whole[1], tmp_path / "run")
    (run / "per_class.csv").write_text("")
    fewmask.resume(run)
    assert not (run / "per_class.csv").exists()


@pytest.mark.parametrize("whole", ["supervised"], indirect=True)
def test_settings_that_would_make_another_run_are_refused(whole):
    with pytest.raises(UserError, match=r"training.lr cannot change.*--weights"):
        fewmask.resume(whole[1], "training.lr=0.1")


def test_a_new_run_can_start_from_weights(whole, tmp_path):
    name, complete = whole
    words = (*TINY_WORDS, *METHODS[name], "training.steps=1", "training.lr=1e-12")
    for file in ("last.pt", "best.pt"):
        run = fewmask.train(
            "synthetic", *words, out=tmp_path / file, weights=complete / "weights" / file
        )
        old = checkpoint.load(complete / "weights" / "best.pt")["weights"]["head.2.weight"]
        new = checkpoint.load(run.folder / "weights" / "best.pt")["weights"]["head.2.weight"]
        if file == "best.pt":
            torch.testing.assert_close(new, old, atol=1e-6, rtol=1e-4)
