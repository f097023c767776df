"""A comparison of methods with the supervised baseline, and its tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from fewmask.data import Data
from fewmask.evaluation.bootstrap import Interval, paired_difference
from fewmask.methods import title_of
from fewmask.run_folder.result import NetworkScore

BASELINE = "supervised"

Curve = Sequence[tuple[int, float]]
"""Steps taken, and mIoU in percent, at each evaluation of a run."""


@dataclass(frozen=True)
class Row:
    """One method of a comparison."""

    method: str
    folders: list[Path]
    """One run per seed."""
    scores: list[NetworkScore]
    """The scores of the method's main network, one per seed."""
    counts: np.ndarray
    """[seeds, 3, images, K]: intersection, union and truth of the last networks, in pixels."""
    minutes: float
    """The mean duration of a run."""
    memory_gib: float
    """The highest peak of all runs."""
    curves: Sequence[Curve] = ()
    """How the main network's score developed, one curve per seed."""

    @property
    def title(self) -> str:
        """The method's name in its paper."""
        return title_of(self.method)

    @property
    def iou(self) -> np.ndarray:
        """IoU in percent per class, [K], mean over the seeds; NaN for an absent class."""
        hits, union, _ = self.counts.sum(axis=2).transpose(1, 0, 2)  # [seeds, K]
        iou = np.where(union > 0, 100 * hits / np.maximum(union, 1), np.nan)
        return np.asarray(iou.mean(axis=0))


@dataclass(frozen=True)
class Comparison:
    """The rows of all methods, on one data set."""

    rows: list[Row]
    data: Data

    def row(self, method: str) -> Row | None:
        """The row of a method."""
        return next((row for row in self.rows if row.method == method), None)

    def difference(self, row: Row) -> Interval | None:
        """The method's mIoU minus the baseline's, with its 95 % interval."""
        baseline = self.row(BASELINE)
        if baseline is None or baseline is row:
            return None
        return paired_difference(row.counts, baseline.counts)


def table(comparison: Comparison) -> Table:
    """One row per method: mIoU last and best, the difference to the baseline, time and memory."""
    data = comparison.data
    title = (
        f"IoU on val in %, {len(data.labeled)} labeled and {len(data.unlabeled)} unlabeled images"
    )
    result = Table(title=title, box=SIMPLE_HEAD)
    result.add_column("method", no_wrap=True)
    for heading in ("mIoU", "best", "gain, 95 % interval", "min per run", "GiB"):
        result.add_column(heading, justify="right", no_wrap=True)
    for row in comparison.rows:
        gain = comparison.difference(row)
        result.add_row(
            row.title,
            Text(mean_std([score.miou for score in row.scores]), "bold"),
            mean_std([score.best for score in row.scores]),
            "" if gain is None else f"{gain.value:+.1f}  ({gain.low:+.1f} to {gain.high:+.1f})",
            f"{row.minutes:.1f}",
            f"{row.memory_gib:.1f}",
        )
    return result


def class_table(comparison: Comparison) -> Table:
    """IoU of every class, one column per method."""
    result = Table(box=SIMPLE_HEAD)
    result.add_column("class")
    for row in comparison.rows:
        result.add_column(row.title, justify="right", no_wrap=True)
    values = np.stack([row.iou for row in comparison.rows], axis=1)  # [K, methods]
    for name, ious in zip(comparison.data.classes.names, values, strict=True):
        result.add_row(name, *("absent" if np.isnan(iou) else f"{iou:.1f}" for iou in ious))
    return result


def mean_std(values: Sequence[float]) -> str:
    """The mean of runs, and their standard deviation if there are several."""
    spread = f"±{stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread}"
