"""Two processes with one global batch take the step of one process."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from lightning_fabric import Fabric

from fewmask.engine.launch import launch
from fewmask.engine.settings import MachineConfig
from fewmask.errors import UserError
from fewmask.run_folder import checkpoint
from tests.conftest import TINY_WORDS
from tests.engine.test_resume import METHODS, rows

WORDS = (
    "training.steps=5",
    "training.optimizer=sgd",
    "training.lr=0.01",
    "loader.labeled_batch=4",
    "loader.unlabeled_batch=4",
    "data.val=5",
)


def train(out: Path, *words: str) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "fewmask", "train", "synthetic", "--out", str(out)]
    command += [*TINY_WORDS, *WORDS, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_equal_one(method, tmp_path):
    words = (*METHODS[method], "training.lr=0.005")
    one = train(tmp_path / "one", *words)
    two = train(tmp_path / "two", *words, "--devices", "2")
    assert len(one) == len(two) == 5
    # Sums in another order differ by 1e-6, and each step multiplies that, so an error shows early.
    for a, b, near in zip(one, two, (1e-5, 1e-5, 1e-4, 1e-4, 1e-4), strict=True):
        for name in a.keys() - {"images_per_second"}:
            assert b[name] == pytest.approx(a[name], abs=near), f"step {a['step']}: {name}"
    weights = [checkpoint.load(tmp_path / n / "weights/last.pt")["method"] for n in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    if method == "imas":
        hardness = [sorted(rows(tmp_path / n / "hardness.csv")) for n in ("one", "two")]
        assert [r[:2] for r in hardness[0]] == [r[:2] for r in hardness[1]]


PARTIAL = "method=tests.methods.feature_perturbation:FeaturePerturbation"


@pytest.mark.slow
def test_two_processes_equal_one_for_a_method_that_calls_parts_of_its_network(tmp_path):
    one = train(tmp_path / "one", PARTIAL)
    two = train(tmp_path / "two", PARTIAL, "--devices", "2")
    assert len(one) == len(two) == 5
    for a, b in zip(one, two, strict=True):
        assert a["loss_unlabeled"] > 0
        for name in a.keys() - {"images_per_second"}:
            assert b[name] == pytest.approx(a[name], abs=1e-4), f"step {a['step']}: {name}"


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["1", "2"])
def test_a_method_that_calls_parts_of_its_network_trains_in_bf16(tmp_path, devices):
    words = (PARTIAL, "training.precision=bf16", "training.steps=30", "--devices", devices)
    losses = [line["loss_labeled"] for line in train(tmp_path / "run", *words)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


@pytest.mark.slow
def test_accumulated_gradients_are_averaged_like_one_batch(tmp_path):
    rounds = ("method=gta", "method.warmup_epochs=0", "training.accumulate=2")
    batches = ("loader.labeled_batch=8", "loader.unlabeled_batch=8")
    one = train(tmp_path / "one", *rounds, *batches)
    two = train(tmp_path / "two", *rounds, *batches, "--devices", "2")
    for a, b in zip(one, two, strict=True):
        assert b["loss_labeled"] == pytest.approx(a["loss_labeled"], abs=1e-4)
        assert b["loss_assistant"] == pytest.approx(a["loss_assistant"], abs=1e-4)


@pytest.mark.slow
def test_two_machines_under_torchrun_equal_one(tmp_path):
    one = train(tmp_path / "one", "method=imas")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    machines = []
    for rank in range(2):
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2"]
        command += [f"--node-rank={rank}", "--master-addr=127.0.0.1", f"--master-port={port}"]
        command += ["-m", "fewmask", "train", "synthetic", "--out", str(tmp_path / "two")]
        command += [*TINY_WORDS, *WORDS, "method=imas"]
        machines.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    said = [machine.communicate(timeout=300)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0]
    assert ["Done." in text for text in said] == [True, False]
    lines = (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()
    two = [json.loads(line) for line in lines]
    assert len(one) == len(two) == 5
    for a, b in zip(one, two, strict=True):
        for name in a.keys() - {"images_per_second"}:
            assert b[name] == pytest.approx(a[name], abs=1e-4), f"step {a['step']}: {name}"


@pytest.mark.slow
def test_a_run_goes_on_with_other_numbers_of_processes_and_in_other_places(tmp_path):
    words = (*METHODS["imas"], "training.schedule=constant")
    one = train(tmp_path / "one", *words)
    train(tmp_path / "run", *words, "training.steps=2")
    run = tmp_path / "run"
    for steps, devices in ((4, 2), (5, 1)):
        run = run.rename(tmp_path / f"moved-{devices}")
        options = (f"training.steps={steps}", f"machine.devices={devices}")
        command = [sys.executable, "-m", "fewmask", "train", "--resume", str(run), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    resumed = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(one) == len(resumed) == 5
    for a, b in zip(one, resumed, strict=True):
        for name in a.keys() - {"images_per_second"}:  # one pixel of a share is 1e-4
            assert b[name] == pytest.approx(a[name], abs=1e-3), f"step {a['step']}: {name}"
    hardness = [
        [row[:2] for row in rows(each / "hardness.csv")] for each in (tmp_path / "one", run)
    ]
    assert sorted(hardness[0]) == sorted(hardness[1])


def large_result(fabric: Fabric) -> np.ndarray:
    return np.full((300, 300), fabric.global_rank)


@pytest.mark.slow
def test_a_result_larger_than_a_pipe_comes_back():
    machine = MachineConfig(devices=2, accelerator="cpu")
    assert (launch(machine, "fp32", large_result) == np.zeros((300, 300))).all()


@pytest.mark.slow
def test_a_process_without_a_val_image_keeps_the_others_waiting_for_nothing(tmp_path):
    assert len(train(tmp_path / "run", "method=imas", "machine.devices=2", "data.val=1")) == 5


def one_fails(fabric: Fabric) -> None:
    if fabric.global_rank == 1:
        raise UserError("a broken image")
    time.sleep(100)  # as a GPU waits for another that will never answer
    raise UserError("it has waited to the end")


@pytest.mark.slow
def test_a_mistake_of_one_process_ends_the_others():
    with pytest.raises(UserError, match="a broken image"):
        launch(MachineConfig(devices=2, accelerator="cpu"), "fp32", one_fails)


@pytest.mark.slow
def test_two_processes_score_exactly_like_one(tmp_path):
    train(tmp_path / "run", "method=supervised")
    code = f"""
if __name__ == "__main__":
    import fewmask
    run = {str(tmp_path / "run")!r}
    found = [fewmask.evaluate(run, f"machine.devices={{n}}")[1] for n in (1, 2)]
    assert found[0].confusion.sum() == 5 * 48 * 48
    assert (found[0].confusion == found[1].confusion).all()
"""
    script = tmp_path / "score.py"
    script.write_text(code)
    subprocess.run([sys.executable, str(script)], check=True, timeout=300)
