"""Do unlabeled images help a small network on CamVid, in a few thousand steps?"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.record import Figure
from experiments.runs import compared
from fewmask.methods import METHODS


def measure(
    root: Annotated[Path, typer.Option(help="The folder of CamVid.")],
    methods: Annotated[
        list[str] | None, typer.Argument(help="Methods to train. Default: all built-in ones.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each method.")] = 2,
    steps: Annotated[int, typer.Option(help="Training steps of each run.")] = 3000,
) -> Iterator[list[Figure]]:
    """Train all methods with 46 labels, and the supervised baseline with all 367."""
    few = ["camvid", f"data.root={root}", "data.labeled=46", f"training.steps={steps}"]
    every = ["camvid", f"data.root={root}", f"training.steps={steps}"]
    with tempfile.TemporaryDirectory(prefix="camvid-") as folder:
        yield from compared(few, methods or list(METHODS), seeds, Path(folder) / "46")
        for row in compared(every, ["supervised"], seeds, Path(folder) / "367"):
            # Other labels make another subject, so that the two baselines keep separate rows.
            yield [figure._replace(subject=f"{figure.subject}, all 367 labels") for figure in row]
