"""TensorBoard shows metrics, scores and pseudo-labels; a resumed run hides its later steps."""

import importlib.util

import numpy as np
import pytest

from fewmask.engine.sinks import Sink
from fewmask.engine.sinks.tensorboard import TensorBoard
from fewmask.errors import UserError
from fewmask.evaluation import Scores
from fewmask.run_folder.paths import RunPaths


def logged(folder, first_step, last_step, value):
    sink = TensorBoard(Sink.Config(name="tensorboard"))
    sink.open(RunPaths(folder), first_step)
    for step in range(first_step + 1, last_step + 1):
        sink.scalars(step, {"loss_labeled": value})
        sink.scores(step, "teacher", Scores(value, 90.0, (50.0,), np.eye(1)), ["sky"])
        sink.rows("pseudo_labels", [{"step": step, "used": value}])
        sink.rows("times", [{"step": step, "data": value}])
    sink.close()


def curves(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder / "tb"))
    events.Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_a_resumed_run_hides_the_steps_that_it_takes_again(tmp_path):
    pytest.importorskip("tensorboard")
    logged(tmp_path, 0, 3, 1.0)
    logged(tmp_path, 1, 3, 2.0)
    curve = [(1, 1.0), (2, 2.0), (3, 2.0)]
    assert curves(tmp_path) == dict.fromkeys(("loss_labeled", "miou/teacher", "pseudo/used"), curve)


def test_a_missing_package_is_named_before_training_starts(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"logging.sinks=tensorboard.*pip install 'fewmask\[tensor"):
        TensorBoard(Sink.Config(name="tensorboard"))
