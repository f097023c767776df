"""last.pt holds what a resumed run needs, best.pt the main network at its best."""

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from fewmask.engine.minimizer import Minimizer
from fewmask.engine.saving import Checkpoints, load_last, restore
from fewmask.engine.settings import TrainingConfig
from fewmask.errors import UserError
from fewmask.evaluation import Scores
from fewmask.methods.imas import IMAS
from fewmask.models import create_model
from fewmask.run_folder import checkpoint
from fewmask.run_folder.paths import RunPaths
from tests.conftest import TINY


def scores(miou):
    return Scores(miou, 90.0, (miou,), np.eye(1, dtype=np.int64))


@pytest.fixture
def saved(tmp_path, student):
    (tmp_path / "weights").mkdir()
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    minimizer = Minimizer(fabric, method, TrainingConfig(steps=10))
    return Checkpoints(RunPaths(tmp_path), method, minimizer, {"model": {"encoder": "tiny"}})


def test_the_last_checkpoint_restores_the_method(saved):
    saved.best = {"teacher": 60.0}
    saved.save_last(7)
    other = IMAS(lambda: create_model(TINY, 3), IMAS.Config(name="imas"))
    state = load_last(saved.paths, other)
    assert (state["step"], state["best"]) == (7, {"teacher": 60.0})
    weights = saved.method.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in other.state_dict().items())
    assert state["minimizer"].keys() == saved.minimizer.state_dict().keys()


def test_the_best_checkpoint_is_the_main_networks_best(saved):
    for step, main, other in ((1, 50.0, 70.0), (2, 40.0, 80.0), (3, 60.0, 10.0), (4, 60.0, 10.0)):
        saved.save_evaluation(step, {"teacher": scores(main), "student": scores(other)})
    best = checkpoint.load(saved.paths.best)
    assert (best["network"], best["step"], best["miou"]) == ("teacher", 3, 60.0)
    assert best["model"] == {"encoder": "tiny"}
    assert saved.best == {"teacher": 60.0, "student": 80.0}


def test_broken_weights_never_replace_a_good_checkpoint(saved):
    saved.save_last(1)
    with torch.no_grad():
        next(saved.method.parameters()).view(-1)[0] = float("inf")
    with pytest.raises(UserError, match="at step 2: training has diverged"):
        saved.save_last(2)
    assert checkpoint.load(saved.paths.last)["step"] == 1


def test_only_the_first_process_writes(saved, monkeypatch):
    monkeypatch.setattr("fewmask.parts.processes.rank", lambda: 1)
    saved.save_last(1)
    saved.save_evaluation(1, {"teacher": scores(50.0)})
    assert not saved.paths.last.exists() and not saved.paths.best.exists()
    assert saved.best == {"teacher": 50.0}


@pytest.mark.parametrize("state", [{}, {"a": 1}, {"optimizers": [5]}])
def test_optimizers_that_cannot_be_restored_are_named(state, saved):
    with pytest.raises(UserError, match=r"last.pt does not hold the optimizers of this run"):
        restore(saved.minimizer, state, saved.paths.last)
