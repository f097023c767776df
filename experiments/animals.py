"""Do unlabeled photos help on VOC animals, with the automatic settings that every user gets?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.record import Figure
from experiments.runs import Methods, Out, Seeds, Steps, compared_in


def measure(
    root: Annotated[Path, typer.Option(help="The folder of VOC animals, with its data.yaml.")],
    methods: Methods = None,
    labeled: Annotated[int, typer.Option(help="Names the list: labeled_28.txt.")] = 28,
    seeds: Seeds = 3,
    steps: Steps = 600,
    out: Out = None,
) -> Iterator[list[Figure]]:
    """Train with a few labeled photos, and with three thousand unlabeled ones besides."""
    words = [f"data={root / 'data.yaml'}", f"data.labeled={root / f'labeled_{labeled}.txt'}"]
    yield from compared_in(out, words, methods, seeds, steps)
