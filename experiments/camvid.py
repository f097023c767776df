"""Do unlabeled frames help on CamVid, with the automatic settings for a CPU?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.record import Figure
from experiments.runs import Methods, Out, Seeds, Steps, compared_in


def measure(
    root: Annotated[Path, typer.Option(help="The folder of CamVid.")],
    methods: Methods = None,
    labeled: Annotated[int, typer.Option(help="Names the list: splits/labeled_23.txt.")] = 23,
    seeds: Seeds = 3,
    steps: Steps = 600,
    out: Out = None,
) -> Iterator[list[Figure]]:
    """Train with a few labeled frames of three videos; the scores are those on a fourth one."""
    labels = root / "splits" / f"labeled_{labeled}.txt"
    words = ["camvid", f"data.root={root}", f"data.labeled={labels}"]
    yield from compared_in(out, words, methods, seeds, steps)
