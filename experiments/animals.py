"""Do unlabeled photos help on VOC animals, with the automatic settings for a CPU?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.record import Figure
from experiments.runs import Methods, Out, Seeds, Steps, compared_in

SETTINGS = [
    "auto/cpu", "model.encoder=tf_efficientnet_lite0", "model.decoder=segformer",
    "model.output_stride=32",
]  # fmt: skip
"""All named, so that a machine with a GPU measures the same."""


def measure(
    root: Annotated[Path, typer.Option(help="The folder of VOC animals, with its data.yaml.")],
    methods: Methods = None,
    labeled: Annotated[int, typer.Option(help="Names the list: labeled_28.txt.")] = 28,
    seeds: Seeds = 3,
    steps: Steps = 600,
    out: Out = None,
) -> Iterator[list[Figure]]:
    """Train with a few labeled photos, and with three thousand unlabeled ones besides."""
    yield from compared_in(out, words_for(root, labeled), methods, seeds, steps)


def words_for(root: Path, labeled: int) -> list[str]:
    """The options that name settings, photos and labels."""
    labels = root / f"labeled_{labeled}.txt"
    return [*SETTINGS, f"data={root / 'data.yaml'}", f"data.labeled={labels}"]
