"""Writes the report: one HTML page on one run, or on several runs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.batch import IGNORE
from fewmask.data import Data
from fewmask.data.images import as_rgb
from fewmask.evaluation.examination import Examination, examine
from fewmask.evaluation.predictor import Predictor
from fewmask.recipes import Recipe
from fewmask.report import curves, page
from fewmask.run_folder.comparing import warnings
from fewmask.run_folder.result import NetworkScore, Result
from fewmask.runs.run import Run

BASELINE = "supervised"
GALLERY = 24
"""Pictures on a page, shared between its runs, so that the page stays below 5 MB."""
MANY_CLASSES = 25
"""With more classes the confusion matrix is too large for a table."""
CONFUSIONS = 6
"""Pairs of confused classes that are named instead."""
HARDEST = 10
"""Unlabeled images that are named as the hardest."""


def report(runs: Sequence[Run], out: Path | None = None, verdict: Sequence[str] = ()) -> Path:
    """Writes the report of one run, or of several side by side, and plots into each run folder.

    Args:
        runs: the first supervised one is the baseline for the classes of the others.
        out: the file; by default `report.html` in the first run's folder.
        verdict: sentences to open with, as `fewmask compare` has them.

    Returns:
        The file.

    Raises:
        UserError: if a run has no results.
    """
    results = [run.result for run in runs]
    baseline = next((result for result in results if result.method == BASELINE), None)
    pages = []
    for index, (run, result) in enumerate(zip(runs, results, strict=True)):
        compared = None if baseline is result else baseline
        pages.append(_run_page(index, run, compared, GALLERY // len(runs)))
    names = f"{runs[0].folder.name}" if len(runs) == 1 else f"{len(runs)} runs"
    differences = _differences([run.recipe for run in runs])
    text = page.render(f"fewmask: {names}", pages, verdict, warnings(results), differences)
    out = out or runs[0].paths.report
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    for run, run_page in zip(runs, pages, strict=True):
        _save_plots(run_page, run.paths.plots)
    return out


def _save_plots(run: page.RunPage, folder: Path) -> None:
    """Saves the charts as SVG files."""
    folder.mkdir(exist_ok=True)
    for chart in (*run.charts, run.reliability, run.pseudo, run.hardness):
        if chart is not None:
            name = re.sub("[^a-z0-9]+", "-", chart.title.lower()).strip("-")
            (folder / f"{name}.svg").write_text(page.svg(chart), encoding="utf-8")


def _run_page(index: int, run: Run, baseline: Result | None, gallery: int) -> page.RunPage:
    result, classes = run.result, run.data.classes
    network = next(iter(result.networks))
    predictor = run.network(network)
    found = examine(
        predictor.network, run.val, len(classes), run.recipe.evaluation, predictor.device
    )
    confusion = found.scores.confusion
    share = confusion / np.maximum(1, confusion.sum(1, keepdims=True))
    hardness = curves.hardness_by_period(run.paths)
    threshold = getattr(run.recipe.method, "threshold", None)
    return page.RunPage(
        index=index,
        name=run.folder.name,
        result=result,
        network=network,
        charts=curves.training_charts(run.paths),
        classes=_class_rows(classes.names, found, baseline),
        baseline="" if baseline is None else baseline.folder.name,
        confusion=(100 * share).round(1).tolist() if len(classes) <= MANY_CLASSES else [],
        confused=_most_confused(share, classes.names),
        reliability=curves.reliability_chart(found),
        calibration_error=found.calibration_error,
        boundary_iou=found.boundary_iou,
        miou=found.scores.miou,
        pseudo=curves.pseudo_label_chart(run.paths),
        pseudo_shares=curves.pseudo_label_shares(run.paths),
        time=_time(result),
        hardness=curves.hardness_chart(hardness),
        hardest=[*hardness][:HARDEST],
        gallery=_gallery(predictor, run, found, gallery, threshold),
    )


def _class_rows(
    names: Sequence[str], found: Examination, baseline: Result | None
) -> list[page.ClassRow]:
    """Each class with its IoU, and with that of the baseline's main network."""
    before: dict[str, float] = {}
    if baseline is not None:
        main: NetworkScore = next(iter(baseline.networks.values()))
        # A damaged table may lack classes.
        before = dict(zip(baseline.classes, main.iou, strict=False))
    return [
        page.ClassRow(name, _number(iou), _number(before.get(name)))
        for name, iou in zip(names, found.scores.iou, strict=True)
    ]


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


def _time(result: Result) -> list[tuple[str, float, float]]:
    """Activity, minutes, percent."""
    total = max(sum(result.seconds.values()), 1e-9)
    words = {"data": "waiting for data"}
    return [
        (words.get(activity, activity), seconds / 60, 100 * seconds / total)
        for activity, seconds in result.seconds.items()
    ]


def _most_confused(share: np.ndarray, names: Sequence[str]) -> str:
    """The largest confusions in words, in percent of the true class."""
    off = share * (1 - np.eye(len(names)))
    order = np.argsort(off, axis=None)[::-1][:CONFUSIONS]
    pairs = [np.unravel_index(place, off.shape) for place in order]
    return ", ".join(f"{names[i]} as {names[j]} {100 * off[i, j]:.0f}" for i, j in pairs)


def _gallery(
    predictor: Predictor, run: Run, found: Examination, count: int, threshold: float | None
) -> list[page.Case]:
    """The worst images, each with its layers."""
    worst = np.argsort(np.nan_to_num(found.image_miou, nan=np.inf))[: max(1, count)]
    return [
        page.Case(
            run.val.names[index],
            float(found.image_miou[index]),
            page.photo(as_rgb(run.val.image(index))),
            _layers(predictor, run, index, threshold),
        )
        for index in worst.tolist()
    ]


def _layers(
    predictor: Predictor, run: Run, index: int, threshold: float | None
) -> list[page.Layer]:
    """Prediction, truth, confidence, and the pseudo-label if the method has a threshold."""
    data: Data = run.data
    prediction, colors = predictor.predict(run.val.image(index)), data.classes.colors
    layers = [
        page.Layer("prediction", page.map_of_labels(prediction.mask, colors)),
        page.Layer("truth", page.map_of_labels(run.val.mask(index), colors)),
        page.Layer("confidence", page.map_of_confidence(prediction.confidence)),
    ]
    if threshold is not None:
        confident = np.where(prediction.confidence < threshold, IGNORE, prediction.mask)
        picture = page.map_of_labels(confident.astype(np.uint8), colors)
        layers.append(page.Layer("pseudo-label", picture))
    return layers


def _differences(recipes: Sequence[Recipe]) -> dict[str, list[Any]]:
    """The settings in which recipes differ, by dotted name."""
    flat = [_flatten(recipe.model_dump(mode="json")) for recipe in recipes]
    keys = list(dict.fromkeys(key for one in flat for key in one))
    table = {key: [one.get(key, "-") for one in flat] for key in keys}
    return {
        key: values for key, values in table.items() if any(value != values[0] for value in values)
    }


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
