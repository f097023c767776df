"""The sections of a run in a report, from its tables and its examination."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fewmask.evaluation.examination import Examination
from fewmask.report import curves
from fewmask.report.charts import Chart
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.result import NetworkScore, Result

MANY_CLASSES = 25
"""With more classes, the confusion matrix is too large for a table."""
CONFUSIONS = 6
"""Pairs of confused classes that are named instead."""
HARDEST = 10
"""Unlabeled images that are named as the hardest."""


@dataclass(frozen=True)
class ClassRow:
    """One class: its IoU and that of the baseline, in percent; None if the class is absent."""

    name: str
    iou: float | None
    baseline_iou: float | None = None


@dataclass(frozen=True)
class ClassTable:
    """IoU by class, compared with a baseline if there is one."""

    rows: list[ClassRow]
    baseline: str
    """The name of the baseline's run; empty if there is none."""


def class_table(names: Sequence[str], found: Examination, baseline: Result | None) -> ClassTable:
    """IoU of each class, and that of the baseline's main network."""
    others: dict[str, float] = {}
    if baseline is not None:
        main: NetworkScore = next(iter(baseline.networks.values()))
        # Not strict: a table that was damaged may lack classes.
        others = dict(zip(baseline.classes, main.iou, strict=False))
    rows = [
        ClassRow(name, _none_if_absent(iou), _none_if_absent(others.get(name)))
        for name, iou in zip(names, found.scores.iou, strict=True)
    ]
    return ClassTable(rows, "" if baseline is None else baseline.folder.name)


def _none_if_absent(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


@dataclass(frozen=True)
class Confusion:
    """Which classes are predicted as which others."""

    names: Sequence[str]
    percent: list[list[float]]
    """Of the pixels of each true class (row) by predicted class (column); empty if there are too
    many classes for a table."""
    largest: str
    """The largest confusions, in words."""


def confusion(names: Sequence[str], matrix: np.ndarray) -> Confusion:
    """The confusion matrix [K, K] in percent of each true class."""
    share = matrix / np.maximum(1, matrix.sum(1, keepdims=True))
    percent = (100 * share).round(1).tolist() if len(names) <= MANY_CLASSES else []
    wrong = share * (1 - np.eye(len(names)))
    order = np.argsort(wrong, axis=None)[::-1][:CONFUSIONS]
    pairs = [np.unravel_index(place, wrong.shape) for place in order]
    largest = ", ".join(f"{names[i]} as {names[j]} {100 * wrong[i, j]:.0f}" for i, j in pairs)
    return Confusion(names, percent, largest)


@dataclass(frozen=True)
class Calibration:
    """Whether confidence agrees with accuracy, and whether borders are precise."""

    chart: Chart
    error: float
    """Expected calibration error, in percent."""
    boundary_iou: float
    miou: float


def calibration(found: Examination) -> Calibration:
    """Accuracy by confidence, and boundary IoU next to mIoU."""
    chart = curves.reliability_chart(found)
    return Calibration(chart, found.calibration_error, found.boundary_iou, found.scores.miou)


@dataclass(frozen=True)
class PseudoLabels:
    """How good the pseudo-labels are on the validation images."""

    chart: Chart
    shares: list[tuple[str, float, float]]
    """Class, its percent of the labeled pixels, and of the pseudo-labels at the end."""


def pseudo_labels(paths: RunPaths) -> PseudoLabels | None:
    """None for a method without pseudo-labels."""
    chart = curves.pseudo_label_chart(paths)
    return None if chart is None else PseudoLabels(chart, curves.pseudo_label_shares(paths))


@dataclass(frozen=True)
class Hardness:
    """How hard unlabeled images were over the run."""

    chart: Chart
    hardest: list[str]


def hardness(paths: RunPaths) -> Hardness | None:
    """None for a method that reports no easiness."""
    lines = curves.hardness_by_period(paths)
    chart = curves.hardness_chart(lines)
    return None if chart is None else Hardness(chart, [*lines][:HARDEST])


@dataclass(frozen=True)
class TimeRow:
    """One activity of a run."""

    activity: str
    minutes: float
    percent: float


def times(result: Result) -> list[TimeRow]:
    """How the time of a run was spent."""
    total = max(sum(result.seconds.values()), 1e-9)
    words = {"data": "waiting for data"}
    return [
        TimeRow(words.get(activity, activity), seconds / 60, 100 * seconds / total)
        for activity, seconds in result.seconds.items()
    ]
