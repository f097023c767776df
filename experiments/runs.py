"""Trains by the commands that a user types, and reads the scores from the run folders."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import mean
from typing import Annotated

import typer

from benchmarks.record import Figure, Value, figures
from fewmask.methods import METHODS, title_of
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.result import Result, read_result
from fewmask.run_folder.tables import read_table

Methods = Annotated[
    list[str] | None, typer.Argument(help="Methods to train. Default: all built-in ones.")
]
Seeds = Annotated[int, typer.Option(help="Runs of each method.")]
Steps = Annotated[int, typer.Option(help="Training steps of each run.")]
Out = Annotated[Path | None, typer.Option(help="Keeps the runs, and takes those that it holds.")]


def fewmask(*words: str | Path) -> str:
    """Runs a command of fewmask in its own process, and returns what it printed."""
    command = [sys.executable, "-m", "fewmask", *map(str, words)]
    # A wide terminal keeps every row of a printed table on one line.
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def miou(run: Path) -> float:
    """The score after the last step, in percent, of the network that the method is judged by."""
    return next(iter(read_result(run).networks.values())).miou


def compared(
    words: Sequence[str], methods: Sequence[str], seeds: int, out: Path
) -> Iterator[list[Figure]]:
    """Trains methods x seeds by `fewmask compare`.

    Yields:
        The figures of each method, then the IoU of each class for each of its seeds.
    """
    printed = fewmask(
        "compare", *words, "--methods", ",".join(methods), "--seeds", str(seeds), "--out", out
    )
    runs = {m: [out / f"{m}-seed{seed}" for seed in range(seeds)] for m in methods}
    for method in methods:
        results = [read_result(run) for run in runs[method]]
        values = {**_scores(results), **_gain(printed, title_of(method)), **_costs(results)}
        yield figures(title_of(method), **values)
    for method in methods:
        for seed, run in enumerate(runs[method]):
            yield figures(f"{title_of(method)}, seed {seed}", **_classes(run))


def compared_in(
    out: Path | None, words: Sequence[str], methods: Sequence[str] | None, seeds: int, steps: int
) -> Iterator[list[Figure]]:
    """As `compared`, with all methods by default, and in a folder that is kept if it is given."""
    # Scored twice: an evaluation of hundreds of photos takes as long as dozens of steps.
    words = [*words, f"training.steps={steps}", f"training.evaluate_every={max(1, steps // 2)}"]
    with folder_of_runs(out) as folder:
        yield from compared(words, methods or list(METHODS), seeds, folder)


@contextmanager
def folder_of_runs(out: Path | None) -> Iterator[Path]:
    """`out`, or a folder that is removed in the end."""
    temporary = tempfile.TemporaryDirectory(prefix="runs-")
    with temporary if out is None else nullcontext(out) as folder:
        yield Path(folder)


def _scores(results: Sequence[Result]) -> dict[str, Value]:
    scores = [next(iter(result.networks.values())) for result in results]
    each = {f"seed {seed} mIoU": (score.miou, "%") for seed, score in enumerate(scores)}
    return each | {
        "mean mIoU": (mean(score.miou for score in scores), "%"),
        "mean best mIoU": (mean(score.best for score in scores), "%"),
    }


def _gain(printed: str, title: str) -> dict[str, Value]:
    """The interval that `fewmask compare` prints for the gain over the baseline, if any."""
    row = rf"^\s*{title}\b.*?([+-]\d+\.\d) to ([+-]\d+\.\d)\)"
    found = re.search(row, printed, re.MULTILINE)
    ends = ("low", "high") if found else ()
    return {
        f"gain, 95 % {end}": (float(found[i]), "points") for i, end in enumerate(ends, 1) if found
    }


def _costs(results: Sequence[Result]) -> dict[str, Value]:
    seconds = mean(sum(result.seconds.values()) for result in results)
    step = mean(result.seconds["steps"] / result.steps for result in results)
    return {
        "time per run": (seconds / 60, "min"),
        "step": (1000 * step, "ms"),
        "peak memory": (1024 * max(result.memory_gib for result in results), "MiB"),
    }


def _classes(run: Path) -> dict[str, Value]:
    """The IoU of each class after the last step."""
    rows = read_table(RunPaths(run).per_class)
    last = [r for r in rows if (r["step"], r["network"]) == (rows[-1]["step"], rows[0]["network"])]
    return {row["class"]: (float(row["iou"]), "%") for row in last}
