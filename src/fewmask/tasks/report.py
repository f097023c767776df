"""`fewmask report`: gathers what run folders and networks say, and writes one page of it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.batch import IGNORE
from fewmask.data import Data
from fewmask.data.images import as_rgb
from fewmask.evaluation.examination import Examination, examine
from fewmask.evaluation.predictor import Predictor
from fewmask.recipes.recipe import Recipe, load_recipe
from fewmask.report import page
from fewmask.report.charts import Chart, line_chart
from fewmask.run_folder.result import Result, read_result, warnings
from fewmask.run_folder.tables import read_metrics, read_table
from fewmask.runs.building import open_data
from fewmask.runs.files import own_val, recipe_file
from fewmask.runs.loading import load

GALLERY = 24
"""Pictures on a page, shared between its runs: it stays below 5 MB."""
MANY_CLASSES = 25
TRAJECTORIES = 60
HARDEST = 10


def report(runs: Sequence[Path], out: Path | None = None, verdict: Sequence[str] = ()) -> Path:
    """Writes the report of one run, or of several side by side; plots into each run folder.

    Args:
        runs: run folders; the first supervised one is what the others' classes are compared with.
        out: the file; by default `report.html` in the first run's folder.
        verdict: sentences to open with, as `fewmask compare` has them.

    Returns:
        The file.

    Raises:
        UserError: if a folder is no run with results.
    """
    results = [read_result(run) for run in runs]
    recipes = [load_recipe(recipe_file(run)) for run in runs]
    baseline = next((r for r in results if r.method == "supervised"), None)
    pages: list[page.RunPage] = []
    for index, (result, recipe) in enumerate(zip(results, recipes, strict=True)):
        compared = baseline if baseline is not None and baseline is not result else None
        pages.append(_run_page(index, result, recipe, compared, GALLERY // len(runs)))
    title = f"fewmask: {results[0].folder.name}" if len(runs) == 1 else f"fewmask: {len(runs)} runs"
    text = page.render(title, pages, verdict, warnings(results), _differences(recipes))
    out = out or runs[0] / "report.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    for run in pages:
        _save_plots(run)
    return out


def _save_plots(run: page.RunPage) -> None:
    """The charts as pictures, in `plots/` of the run folder."""
    folder = run.result.folder / "plots"
    folder.mkdir(exist_ok=True)
    charts = [*run.charts, run.reliability, run.pseudo, run.hardness]
    for chart in charts:
        if chart is not None:
            name = re.sub("[^a-z0-9]+", "-", chart.title.lower()).strip("-")
            (folder / f"{name}.svg").write_text(page.svg(chart), encoding="utf-8")


def _run_page(
    index: int, result: Result, recipe: Recipe, baseline: Result | None, gallery: int
) -> page.RunPage:
    network = next(iter(result.networks))
    data = open_data(recipe, needs_unlabeled=False, tell=False)
    data = replace(data, val=own_val(result.folder, data))
    predictor = load(result.folder, network, recipe.machine.accelerator)
    found = examine(
        predictor.network, data.val, len(data.classes), recipe.evaluation, predictor.device
    )
    before = {} if baseline is None else _last_iou(baseline)
    names = data.classes.names
    classes = [
        page.ClassRow(name, _number(iou), _number(before.get(name)))
        for name, iou in zip(names, found.scores.iou, strict=True)
    ]
    share = found.scores.confusion / np.maximum(1, found.scores.confusion.sum(1, keepdims=True))
    hardness, hardest = _hardness(result.folder)
    pseudo, pseudo_shares = _pseudo_labels(result.folder)
    threshold = getattr(recipe.method, "threshold", None)
    return page.RunPage(
        index,
        result.folder.name,
        result,
        network,
        _curves(result.folder),
        classes,
        "" if baseline is None else baseline.folder.name,
        (100 * share).round(1).tolist() if len(names) <= MANY_CLASSES else [],
        _confused(share, names),
        _reliability(found),
        found.calibration_error,
        found.boundary_iou,
        found.scores.miou,
        pseudo,
        pseudo_shares,
        _time(result),
        hardness,
        hardest,
        _gallery(predictor, data, found, gallery, threshold),
    )


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


def _last_iou(result: Result) -> dict[str, float]:
    """IoU by class of a run's main network after its last step."""
    rows = read_table(result.folder / "per_class.csv")
    network = next(iter(result.networks))
    return {
        row["class"]: float(row["iou"])
        for row in rows
        if row["network"] == network and int(row["step"]) == result.steps
    }


def _curves(folder: Path) -> list[Chart]:
    """mIoU, losses, and the other scalars between 0 and 1, over the steps."""
    scores = defaultdict(list)
    for row in read_table(folder / "results.csv"):
        scores[row["network"]].append((float(row["step"]), float(row["miou"])))
    charts = [line_chart("mIoU on val, %", scores)]
    logged: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for values in read_metrics(folder):
        for name, value in values.items():
            logged[name].append((float(values["step"]), float(value)))
    if not logged:
        return charts
    losses = {n.removeprefix("loss_"): s for n, s in logged.items() if n.startswith("loss_")}
    others = ("step", "lr", "images_per_second")
    shares = {
        name.replace("_", " "): series
        for name, series in logged.items()
        if name not in others
        and not name.startswith("loss_")
        and all(0 <= value <= 1 for _, value in series)
    }
    charts.append(line_chart("losses", losses))
    if shares:
        charts.append(line_chart("shares", shares, (0, 1)))
    charts.append(line_chart("speed, images per second", {"": logged["images_per_second"]}))
    return charts


def _pseudo_labels(folder: Path) -> tuple[Chart | None, list[tuple[str, float, float]]]:
    """What they are worth on val over the steps, and their classes at the end, in percent."""
    rows = read_table(folder / "pseudo_labels.csv")
    if not rows:
        return None, []
    names = {"used": "used", "right": "accuracy", "sure": "confidence"}
    series = {
        name: [(float(row["step"]), float(row[column])) for row in rows]
        for name, column in names.items()
    }
    classes = read_table(folder / "pseudo_shares.csv")
    last = [row for row in classes if row["step"] == classes[-1]["step"]]
    shares = [(r["class"], 100 * float(r["labeled"]), 100 * float(r["pseudo"])) for r in last]
    return line_chart("pseudo-labels on val", series, (0, 1)), shares


def _time(result: Result) -> list[tuple[str, float, float]]:
    """Part, minutes, percent."""
    whole = sum(result.seconds.values())
    words = {"data": "waiting for data"}
    return [
        (words.get(part, part), seconds / 60, 100 * seconds / max(whole, 1e-9))
        for part, seconds in result.seconds.items()
    ]


def _hardness(folder: Path) -> tuple[Chart | None, list[str]]:
    """The way of each unlabeled image through ten parts of the run; the hardest at the end."""
    rows = read_table(folder / "hardness.csv")
    if not rows:
        return None, []
    last = max(int(row["step"]) for row in rows)
    seen: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        part = min(9, 10 * int(row["step"]) // max(1, last))
        seen[row["image"]][part].append(float(row["hardness"]))
    lines = {
        name: [(10.0 * (part + 1), float(np.mean(values))) for part, values in sorted(p.items())]
        for name, p in seen.items()
    }
    by_end = sorted(lines, key=lambda name: -lines[name][-1][1])
    step = max(1, len(by_end) // TRAJECTORIES)
    shown = {name: lines[name] for name in by_end[::step][:TRAJECTORIES]}
    chart = line_chart("hardness over the run, % of the steps", shown, (0, 1), thin=True)
    return chart, by_end[:HARDEST]


def _reliability(found: Examination) -> Chart:
    points = list(zip(found.confidence.tolist(), found.accuracy.tolist(), strict=True))
    return line_chart(
        "accuracy by confidence", {"this network": points, "ideal": [(0, 0), (1, 1)]}, (0, 1)
    )


def _confused(share: np.ndarray, names: Sequence[str], most: int = 6) -> str:
    off = share * (1 - np.eye(len(names)))
    order = np.argsort(off, axis=None)[::-1][:most]
    pairs = [np.unravel_index(place, off.shape) for place in order]
    return ", ".join(f"{names[i]} as {names[j]} {100 * off[i, j]:.0f}" for i, j in pairs)


def _gallery(
    predictor: Predictor, data: Data, found: Examination, count: int, threshold: float | None
) -> list[page.Case]:
    """The worst images, each with truth, prediction, confidence and, by threshold, pseudo-label."""
    worst = np.argsort(np.nan_to_num(found.image_miou, nan=np.inf))[: max(1, count)]
    cases = []
    for index in worst.tolist():
        image, truth = data.val.image(index), data.val.mask(index)
        prediction = predictor.predict(image)
        colors = data.classes.colors
        layers = [
            page.Layer("prediction", page.map_of_labels(prediction.mask, colors)),
            page.Layer("truth", page.map_of_labels(truth, colors)),
            page.Layer("confidence", page.map_of_confidence(prediction.confidence)),
        ]
        if threshold is not None:
            sure = np.where(prediction.confidence < threshold, IGNORE, prediction.mask)
            picture = page.map_of_labels(sure.astype(np.uint8), colors)
            layers.append(page.Layer("pseudo-label", picture))
        cases.append(
            page.Case(
                data.val.names[index],
                float(found.image_miou[index]),
                page.photo(as_rgb(image)),
                layers,
            )
        )
    return cases


def _differences(recipes: Sequence[Recipe]) -> dict[str, list[Any]]:
    """The settings in which the recipes are not alike, by dotted name."""
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
