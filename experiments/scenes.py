"""Do unlabeled images help on the built-in scenes, where the labels are overfitted?"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.record import Figure
from experiments.runs import compared
from fewmask.methods import METHODS


def measure(
    methods: Annotated[
        list[str] | None, typer.Argument(help="Methods to train. Default: all built-in ones.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each method.")] = 2,
    steps: Annotated[int, typer.Option(help="Training steps of each run.")] = 800,
) -> Iterator[list[Figure]]:
    """Train all methods on the scenes of `fewmask demo`: 16 labeled, 256 unlabeled, 64 to score."""
    words = ["synthetic", f"training.steps={steps}"]
    with tempfile.TemporaryDirectory(prefix="scenes-") as folder:
        yield from compared(words, methods or list(METHODS), seeds, Path(folder))
