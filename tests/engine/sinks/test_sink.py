"""Every sink follows the contract: those of the run folder, the named ones, and a user's own."""

import numpy as np
import pytest

from fewmask.config import find
from fewmask.engine.sinks import SINKS, Sink
from fewmask.engine.sinks.choosing import RUN_FOLDER_SINKS
from fewmask.evaluation import Scores
from fewmask.run_folder.paths import RunPaths

ALL = [*RUN_FOLDER_SINKS, *(find(name, SINKS, "sink") for name in SINKS), Sink]
SCORES = Scores(50.0, 90.0, (60.0, float("nan")), np.eye(2, dtype=np.int64))
ROWS = {
    "hardness": {"step": 1, "image": "a, b.png", "easiness": 0.25, "hardness": 0.75},
    "pseudo_labels": {"step": 1, "used": 0.5, "accuracy": 0.9},
    "pseudo_shares": {"step": 1, "class": "sky", "pseudo": 0.5, "labeled": 0.25},
    "times": {"step": 1, "data": 0.5, "memory_gib": 1.0},
}


def log_everything(sink, step):
    sink.scalars(step, {"loss_labeled": 0.5, "lr": 0.001})
    sink.scores(step, "teacher", SCORES, ["sky", "sea"])
    for table, row in ROWS.items():
        sink.rows(table, [{**row, "step": step}, {**row, "step": step}])
    sink.text("a line with [brackets], commas and ü")


@pytest.fixture(params=ALL, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def test_creating_a_sink_writes_nothing(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sink = kind(kind.Config(name="x"))
    sink.close()  # training may fail before it is opened
    assert list(tmp_path.iterdir()) == []


def test_a_sink_takes_everything_and_can_go_on_in_a_resumed_run(kind, tmp_path):
    for first_step in (0, 2):
        sink = kind(kind.Config(name="x"))
        sink.open(RunPaths(tmp_path), first_step)
        for step in range(first_step + 1, 5):
            log_everything(sink, step)
        sink.close()


def test_every_file_of_a_sink_is_one_of_the_run_folder(kind, tmp_path):
    """`--overwrite` removes what `RunPaths.leftovers` names, so a sink must write nothing else."""
    sink = kind(kind.Config(name="x"))
    sink.open(RunPaths(tmp_path), 0)
    log_everything(sink, 1)
    sink.close()
    assert set(tmp_path.iterdir()) <= set(RunPaths(tmp_path).leftovers)
