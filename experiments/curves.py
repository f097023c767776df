"""Do longer runs help on VOC animals, with unlabeled photos and without?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.record import Figure, figures
from experiments.animals import words_for
from experiments.runs import Methods, Out, Steps, fewmask, folder_of_runs
from fewmask.methods import title_of
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.tables import read_table


def measure(
    root: Annotated[Path, typer.Option(help="The folder of VOC animals, with its data.yaml.")],
    methods: Methods = None,
    labeled: Annotated[int, typer.Option(help="Names the list: labeled_28.txt.")] = 28,
    steps: Steps = 3000,
    every: Annotated[int, typer.Option(help="Steps between two evaluations.")] = 500,
    out: Out = None,
) -> Iterator[list[Figure]]:
    """Train once for long, and score several times on the way."""
    length = [f"training.steps={steps}", f"training.evaluate_every={every}", "seed=0"]
    with folder_of_runs(out) as folder:
        for method in methods or ["supervised", "fewmatch"]:
            run = folder / f"{method}-seed0"
            if not RunPaths(run).results.exists():
                words = [*words_for(root, labeled), *length, f"method={method}"]
                fewmask("train", *words, "--out", run)
            yield figures(title_of(method), **_scores(run))


def _scores(run: Path) -> dict[str, tuple[float, str]]:
    """The scores of the network that the method is judged by, after so many steps."""
    rows = read_table(RunPaths(run).results)
    judged = [row for row in rows if row["network"] == rows[0]["network"]]
    return {f"{row['step']} steps": (float(row["miou"]), "%") for row in judged}
