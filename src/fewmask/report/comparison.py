"""Shows a comparison of methods: its tables, and a verdict on whether unlabeled images helped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fewmask.data import Data
from fewmask.evaluation.bootstrap import Interval, paired_difference
from fewmask.methods import title_of
from fewmask.run_folder.result import NetworkScore

BASELINE = "supervised"
FEW_IMAGES = 10
"""Fewer validation images than this allow no verdict."""
HURT = 1.0
"""The verdict names classes that lose more IoU than this, in percentage points."""


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
        """The method's mIoU minus the baseline's, with its 95 % interval over images."""
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
            f"[bold]{_mean_std([score.miou for score in row.scores])}",
            _mean_std([score.best for score in row.scores]),
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


def _mean_std(values: Sequence[float]) -> str:
    spread = f"±{stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread}"


def verdict(comparison: Comparison) -> list[str]:
    """One sentence per method: did the unlabeled images help, and which classes did they hurt?"""
    baseline = comparison.row(BASELINE)
    if baseline is None:
        return [f"There is no baseline to compare with. Add one: --methods {BASELINE},..."]
    sentences = []
    for row in comparison.rows:
        gain = comparison.difference(row)
        if gain is not None:
            change = row.iou - baseline.iou
            sentences.append(_judge(row.title, gain, comparison) + _hurt(change, comparison))
    return sentences


def _judge(method: str, gain: Interval, comparison: Comparison) -> str:
    """Whether one method helped."""
    size = f"{gain.value:+.1f} mIoU (95 %: {gain.low:+.1f} to {gain.high:+.1f})"
    images = len(comparison.data.val)
    if images < FEW_IMAGES:
        return (
            f"{method}: {size}. {images} validation image(s) are too few for a verdict; use "
            f"{FEW_IMAGES} or more."
        )
    if gain.low > 0:
        return f"{method} helped: {size}."
    if gain.high < 0:
        return (
            f"{method} made the result worse: {size}. Train longer, or without the unlabeled "
            "images."
        )
    return (
        f"{method} made no difference that these validation images and seeds can show: {size}. "
        "Try longer runs, more seeds, or more validation images."
    )


def _hurt(change: np.ndarray, comparison: Comparison) -> str:
    """The classes whose IoU got worse, if any."""
    names = comparison.data.classes.names
    hurt = [f"{n} {x:+.1f}" for n, x in zip(names, change, strict=True) if x < -HURT]
    return f" Worse: {', '.join(hurt)}." if hurt else ""
