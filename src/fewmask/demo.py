"""The demo: methods side by side on scenes made in memory, ending with a table and a picture."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from fewmask import api
from fewmask.assembly import open_data
from fewmask.batch import Dataset
from fewmask.data import Classes, Data
from fewmask.recipe import load_recipe
from fewmask.report.pictures import contact_sheet

RECIPE = "synthetic"
PICTURED = (8, 19, 30, 41, 52)  # validation scenes to show; 19 holds the rare star


class Row(NamedTuple):
    """One line of the table."""

    method: str
    miou: list[float]  # after the last step, one per seed
    iou: list[list[float]]  # per class, one list per seed
    minutes: float
    folders: list[Path]


def demo(
    methods: Sequence[str], seeds: Sequence[int], overrides: Sequence[str], out: Path
) -> tuple[list[Row], Data]:
    """Trains each method with each seed on the same scenes.

    Args:
        methods: names of methods.
        seeds: one run each.
        overrides: `key=value` words for every run.
        out: folder for the runs and the picture.
    """
    # A wrong word is found before minutes of training.
    recipes = [load_recipe(RECIPE, (f"method={method}", *overrides)) for method in methods]
    rows = []
    for method in methods:
        start = time.perf_counter()
        runs = []
        for seed in seeds:
            print(f"\n{method}, seed {seed}")
            words = (f"method={method}", f"seed={seed}", *overrides)
            folder = out / f"{method}-seed{seed}"
            runs.append(api.train(RECIPE, *words, out=folder, overwrite=True))
        scores = [next(iter(run.scores.values())) for run in runs if run.scores]
        if len(scores) < len(seeds):
            break  # interrupted
        rows.append(
            Row(
                method,
                [s.miou for s in scores],
                [list(s.iou) for s in scores],
                (time.perf_counter() - start) / 60,
                [run.folder for run in runs],
            )
        )
    return rows, open_data(recipes[0], needs_unlabeled=True)


def table(rows: Sequence[Row], classes: Classes, labeled: int, unlabeled: int) -> Table:
    """The result as a table, one row per method."""
    title = f"IoU in % after the last step, {labeled} labeled and {unlabeled} unlabeled scenes"
    result = Table(title=title, box=SIMPLE_HEAD, padding=0, collapse_padding=True)
    result.add_column("method", no_wrap=True)
    for heading in ("mIoU", *classes.names, "min"):
        result.add_column(f" {heading}", justify="right", no_wrap=True)
    for row in rows:
        per_class = [f"{mean(values):.0f}" for values in zip(*row.iou, strict=True)]
        result.add_row(row.method, f"[bold]{mean(row.miou):.1f}", *per_class, f"{row.minutes:.1f}")
    return result


def picture(rows: Sequence[Row], val: Dataset, classes: Classes, file: Path) -> None:
    """Draws scene, truth and each method's prediction side by side."""
    predictors = [api.load(row.folders[0]) for row in rows]
    shown = sorted({i % len(val) for i in PICTURED})
    tiles = [
        [val.image(i), classes.colours[val.mask(i)]]
        + [classes.colours[predictor.predict(val.image(i)).mask] for predictor in predictors]
        for i in shown
    ]
    contact_sheet(tiles, ["scene", "truth", *(row.method for row in rows)], tile=144).save(file)
