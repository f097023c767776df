"""The charts of a run, read from the tables in its folder."""

from collections import defaultdict

import numpy as np

from fewmask.batch import LOGGED_BY_TRAINER, LOSS_PREFIX
from fewmask.evaluation.examination import Examination
from fewmask.report.charts import Chart, line_chart
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.tables import read_metrics, read_table

TRAJECTORIES = 60
"""At most this many unlabeled images are drawn in the hardness chart."""
QUALITIES = ("used", "accuracy", "confidence")
"""Of pseudo-labels: columns of their table."""
PERIODS = 10
"""The hardness chart divides a run into this many periods."""

Points = list[tuple[float, float]]


def training_charts(paths: RunPaths) -> list[Chart]:
    """mIoU, losses, logged shares between 0 and 1, and speed, over the steps."""
    scores: dict[str, Points] = defaultdict(list)
    for row in read_table(paths.results, "network", "miou"):
        scores[row["network"]].append((float(row["step"]), float(row["miou"])))
    charts = [line_chart("mIoU on val, %", scores)]
    logged: dict[str, Points] = defaultdict(list)
    for values in read_metrics(paths.metrics):
        for name, value in values.items():
            logged[name].append((float(values["step"]), float(value)))
    if not logged:
        return charts
    losses = {
        name.removeprefix(LOSS_PREFIX): points
        for name, points in logged.items()
        if name.startswith(LOSS_PREFIX)
    }
    charts.append(line_chart("losses", losses))
    shares = {name.replace("_", " "): p for name, p in logged.items() if _is_share(name, p)}
    if shares:
        charts.append(line_chart("shares", shares, (0, 1)))
    charts.append(line_chart("speed, images per second", {"": logged["images_per_second"]}))
    return charts


def _is_share(name: str, points: Points) -> bool:
    # The trainer's own values are no shares, even where they lie between 0 and 1.
    if name in LOGGED_BY_TRAINER or name.startswith(LOSS_PREFIX):
        return False
    return all(0 <= value <= 1 for _, value in points)


def pseudo_label_chart(paths: RunPaths) -> Chart | None:
    """Coverage, accuracy and confidence of the pseudo-labels over the steps."""
    rows = read_table(paths.pseudo_labels, *QUALITIES)
    if not rows:
        return None
    series = {name: [(float(row["step"]), float(row[name])) for row in rows] for name in QUALITIES}
    return line_chart("pseudo-labels on val", series, (0, 1))


def pseudo_label_shares(paths: RunPaths) -> list[tuple[str, float, float]]:
    """Each class with its percentage of the labeled pixels and of the last pseudo-labels."""
    rows = read_table(paths.pseudo_shares, "class", "labeled", "pseudo")
    last = [row for row in rows if row["step"] == rows[-1]["step"]]
    return [(r["class"], 100 * float(r["labeled"]), 100 * float(r["pseudo"])) for r in last]


def hardness_by_period(paths: RunPaths) -> dict[str, Points]:
    """The mean hardness of each unlabeled image in each period.

    The images that are hardest at the end of the run come first. The x of a point is the end of its
    period, in percent of the steps.
    """
    rows = read_table(paths.hardness, "image", "hardness")
    last = max((int(row["step"]) for row in rows), default=0)
    seen: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        period = min(PERIODS - 1, PERIODS * int(row["step"]) // max(1, last))
        seen[row["image"]][period].append(float(row["hardness"]))
    lines = {
        name: [
            (100.0 / PERIODS * (period + 1), float(np.mean(values)))
            for period, values in sorted(periods.items())
        ]
        for name, periods in seen.items()
    }
    return dict(sorted(lines.items(), key=lambda item: -item[1][-1][1]))


def hardness_chart(lines: dict[str, Points]) -> Chart | None:
    """The hardness of unlabeled images over the run, evenly chosen from hard to easy."""
    if not lines:
        return None
    every = max(1, len(lines) // TRAJECTORIES)
    shown = {name: lines[name] for name in [*lines][::every][:TRAJECTORIES]}
    return line_chart("hardness over the run, % of the steps", shown, (0, 1), thin=True)


def reliability_chart(found: Examination) -> Chart:
    """Accuracy by confidence, with the line of a perfectly calibrated network."""
    points = list(zip(found.confidence.tolist(), found.accuracy.tolist(), strict=True))
    ideal = [(0.0, 0.0), (1.0, 1.0)]
    return line_chart("accuracy by confidence", {"this network": points, "ideal": ideal}, (0, 1))
