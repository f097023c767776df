"""Training on several processes, compared with one: the cost of averaging gradients."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.record import Figure, figures
from fewmask.run_folder.paths import RunPaths


def measure(
    devices: Annotated[int, typer.Option(help="Processes to compare with one.")] = 2,
    encoder: Annotated[str, typer.Option(help="The encoder, a timm model.")] = "resnet18",
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 161,
    batch: Annotated[int, typer.Option(help="Labeled and unlabeled images per process.")] = 4,
    steps: Annotated[int, typer.Option(help="Training steps of each run.")] = 30,
    rounds: Annotated[int, typer.Option(help="Runs with each number of processes.")] = 3,
) -> Iterator[list[Figure]]:
    """Train iMAS on one process and on several, with a batch that grows with their number."""
    pairs = []
    for _ in range(rounds):
        one, many = (_images_per_second(n, encoder, crop, batch, steps) for n in (1, devices))
        pairs.append((one, many))
    a, b = (median(column) for column in zip(*pairs, strict=True))
    efficiency = median(many / (devices * one) for one, many in pairs)
    yield figures("1 process", speed=(a, "images/s"), efficiency=(100, "%"))
    yield figures(
        f"{devices} processes", speed=(b, "images/s"), efficiency=(round(100 * efficiency), "%")
    )


def _images_per_second(devices: int, encoder: str, crop: int, batch: int, steps: int) -> float:
    """The median speed of a run, with one thread per process, after its first log line."""
    with tempfile.TemporaryDirectory(prefix="processes-") as folder:
        run = RunPaths(Path(folder) / "run")
        words = [
            "synthetic", "method=imas", f"model.encoder={encoder}", "data.size=200",
            f"loader.crop={crop}", f"loader.labeled_batch={batch * devices}",
            f"loader.unlabeled_batch={batch * devices}", f"machine.devices={devices}",
            "machine.workers=0", f"training.steps={steps}", "training.log_every=5",
            f"training.evaluate_every={steps}", "data.val=2", "data.labeled=32",
        ]  # fmt: skip
        command = [sys.executable, "-m", "fewmask", "train", *words, "--out", str(run.folder)]
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, env=one_thread, check=True, stdout=subprocess.DEVNULL)
        lines = run.metrics.read_text(encoding="utf-8").splitlines()
        return median(json.loads(line)["images_per_second"] for line in lines[1:])
