"""Images per second of several processes beside one: what averaging gradients costs."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer


def main(
    devices: Annotated[int, typer.Option(help="Processes, beside one.")] = 2,
    encoder: Annotated[str, typer.Option(help="A timm model.")] = "resnet18",
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 161,
    batch: Annotated[int, typer.Option(help="Labeled and unlabeled images per process.")] = 4,
    steps: int = 30,
    rounds: Annotated[int, typer.Option(help="Of each in turn.")] = 3,
) -> None:
    """Train iMAS for some steps on one process and on several, the batch growing with them."""
    print(f"iMAS, {encoder}, crop {crop}, {batch} + {batch} images a process")
    pairs = []
    for _ in range(rounds):
        one, many = (_images_per_second(n, encoder, crop, batch, steps) for n in (1, devices))
        pairs.append((one, many))
    a, b = (median(column) for column in zip(*pairs, strict=True))
    share = median(many / (devices * one) for one, many in pairs)
    print(f"1 process {a:.1f} images/s, {devices} processes {b:.1f}: efficiency {share:.0%}")


def _images_per_second(devices: int, encoder: str, crop: int, batch: int, steps: int) -> float:
    """Of a run in processes of its own, one thread each; the median after the first steps."""
    with tempfile.TemporaryDirectory(prefix="processes-") as folder:
        words = [
            "synthetic", "method=imas", f"model.encoder={encoder}", "data.size=200",
            f"loader.crop={crop}", f"loader.labeled_batch={batch * devices}",
            f"loader.unlabeled_batch={batch * devices}", f"machine.devices={devices}",
            "machine.workers=0", f"training.steps={steps}", "training.log_every=5",
            f"training.evaluate_every={steps}", "data.val=2", "data.labeled=32",
        ]  # fmt: skip
        command = [sys.executable, "-m", "fewmask", "train", *words, "--out", f"{folder}/run"]
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, env=one_thread, check=True, stdout=subprocess.DEVNULL)
        lines = (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()
        return median(json.loads(line)["images_per_second"] for line in lines[1:])
