"""Methods x seeds under one protocol: runs what is missing, then asks whether it helped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fewmask.batch import Dataset
from fewmask.config import did_you_mean
from fewmask.data import Classes, Data
from fewmask.data.images import as_rgb
from fewmask.errors import UserError
from fewmask.evaluation.bootstrap import Interval, paired_difference
from fewmask.evaluation.evaluator import confusions
from fewmask.evaluation.metrics import intersection_and_union
from fewmask.recipes.recipe import Recipe, load_recipe, split_words
from fewmask.report.pictures import contact_sheet
from fewmask.run_folder.result import NetworkScore, read_result
from fewmask.runs.building import open_data, settle
from fewmask.runs.files import own_val, recipe_file, require_same_images
from fewmask.runs.loading import load
from fewmask.tasks import train

BASELINE = "supervised"
FEW_IMAGES = 10
"""With fewer validation images there is no verdict."""
SAMPLES = 5
"""Validation images on the picture."""


@dataclass(frozen=True)
class Row:
    """One method of a comparison."""

    method: str
    folders: list[Path]
    """One run per seed."""
    scores: list[NetworkScore]
    """Of the network that the method is judged by, one per seed."""
    counts: np.ndarray
    """[seeds, 3, images, K]: intersection, union, truth of the last networks, in pixels."""
    minutes: float
    """Per run."""
    memory_gib: float
    """At most."""

    @property
    def iou(self) -> np.ndarray:
        """IoU in percent per class, [K], mean over the seeds; nan where a class never is."""
        hits, union, _ = self.counts.sum(axis=2).transpose(1, 0, 2)  # [seeds, K]
        iou = np.where(union > 0, 100 * hits / np.maximum(union, 1), np.nan)
        return np.asarray(iou.mean(axis=0))


@dataclass(frozen=True)
class Comparison:
    """All rows, on one data set."""

    rows: list[Row]
    data: Data

    def row(self, method: str) -> Row | None:
        """The row of a method."""
        return next((row for row in self.rows if row.method == method), None)

    def difference(self, row: Row) -> Interval | None:
        """MIoU of a method minus that of the baseline, with its 95 % interval over images."""
        baseline = self.row(BASELINE)
        if baseline is None or baseline is row:
            return None
        return paired_difference(row.counts, baseline.counts)


def compare(
    words: Sequence[str], methods: Sequence[str], seeds: Sequence[int], out: Path
) -> Comparison | None:
    """Trains what is missing of a comparison: every method with every seed, all else equal.

    Finished runs are kept, interrupted ones resumed; so the same call goes on after any stop.

    Args:
        words: a recipe and `key=value` options for every run.
        methods: names of methods.
        seeds: one run each.
        out: folder of the runs, `METHOD-seedN`.

    Returns:
        The comparison, or None if it was interrupted.

    Raises:
        UserError: for wrong settings, before anything is trained; or if `out` holds runs with
            other settings.
    """
    base, overrides = split_words(words)
    for word in overrides:
        if word.startswith(("method=", "method.name=", "seed=")):
            raise UserError(f"{word}: give methods and seeds by --methods and --seeds.")
    recipes = {
        (method, seed): load_recipe(base, [f"method={method}", f"seed={seed}", *overrides])
        for method in methods
        for seed in seeds
    }
    rows = []
    for method in methods:
        folders = []
        for seed in seeds:
            folder = out / f"{method}-seed{seed}"
            print(f"\n{method}, seed {seed}")
            options = [f"method={method}", f"seed={seed}", *overrides]
            if not _run([*([base] if base else []), *options], recipes[method, seed], folder):
                return None
            folders.append(folder)
        rows.append(_read_row(method, folders))
    first = recipes[methods[0], seeds[0]]
    return Comparison(rows, open_data(first, needs_unlabeled=first.data.pool is not None))


def _run(words: Sequence[str | Path], recipe: object, folder: Path) -> bool:
    """Trains a run, or goes on with it; False if it was interrupted."""
    wanted = _settled(words)
    if (folder / "recipe.yaml").is_file():
        before = load_recipe(recipe_file(folder))
        if before.model_dump(exclude={"machine"}) != wanted.model_dump(exclude={"machine"}):
            raise UserError(
                f"{folder} holds a run with other settings. Give another --out, or remove it."
            )
        if (folder / "weights" / "last.pt").is_file():
            require_same_images(folder, open_data(wanted, tell=False))
            if _is_finished(folder, wanted.training.steps):
                print(f"done before: {folder}")
                return True
            return bool(train.resume(folder).scores)
    return bool(train.train(*words, out=folder, overwrite=True).scores)  # if it had begun at all


def _is_finished(folder: Path, steps: int) -> bool:
    try:
        return read_result(folder).steps == steps
    except UserError:  # stopped before its first evaluation
        return False


def _read_row(method: str, folders: list[Path]) -> Row:
    results = [read_result(folder) for folder in folders]
    main = next(iter(results[0].networks))
    counts = np.stack([image_counts(folder, main) for folder in folders])
    minutes = mean(sum(result.seconds.values()) / 60 for result in results)
    memory = max(result.memory_gib for result in results)
    return Row(method, folders, [r.networks[main] for r in results], counts, minutes, memory)


def _settled(words: Sequence[str | Path]) -> Recipe:
    """The recipe that `train` would write into its run folder."""
    recipe = load_recipe(*split_words(words))
    return settle(recipe, open_data(recipe, tell=False))[0]


def image_counts(folder: Path, network: str) -> np.ndarray:
    """Intersection, union and truth of each validation image and class, in pixels: [3, N, K].

    Args:
        folder: of a run.
        network: one of the last checkpoint: `student`, `teacher` ...
    """
    recipe = load_recipe(recipe_file(folder))
    val = own_val(folder, open_data(recipe, needs_unlabeled=False, tell=False))
    predictor = load(folder, network, recipe.machine.accelerator)
    per_image = confusions(
        predictor.network,
        val,
        len(predictor.classes),
        recipe.evaluation,
        range(len(val)),
        predictor.device,
    )
    counts = [np.stack([*intersection_and_union(c), c.sum(1)]) for c in per_image]
    return np.stack(counts, axis=1)


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
            row.method,
            f"[bold]{_mean_std([score.last for score in row.scores])}",
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
        result.add_column(row.method, justify="right", no_wrap=True)
    values = np.stack([row.iou for row in comparison.rows], axis=1)  # [K, methods]
    for name, ious in zip(comparison.data.classes.names, values, strict=True):
        result.add_row(name, *("absent" if np.isnan(iou) else f"{iou:.1f}" for iou in ious))
    return result


def _mean_std(values: Sequence[float]) -> str:
    spread = f"±{stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread}"


def verdict(comparison: Comparison) -> list[str]:
    """In words: did the unlabeled images help, and which classes did they hurt?"""
    baseline = comparison.row(BASELINE)
    if baseline is None:
        return ["Without --methods supervised,... there is nothing to compare with."]
    said = []
    for row in comparison.rows:
        gain = comparison.difference(row)
        if gain is None:
            continue
        size = f"{gain.value:+.1f} mIoU (95 %: {gain.low:+.1f} to {gain.high:+.1f})"
        if len(comparison.data.val) < FEW_IMAGES:
            words = (
                f"{row.method}: {size}. {len(comparison.data.val)} val image(s) are too few for a "
                f"verdict; give {FEW_IMAGES} or more."
            )
        elif gain.low > 0:
            words = f"{row.method} helped: {size}."
        elif gain.high < 0:
            words = f"{row.method} did harm: {size}. Train longer, or without the unlabeled images."
        else:
            words = (
                f"{row.method} made no difference that these val images and seeds can show: {size}."
                " Try longer runs, more seeds, or more val images."
            )
        change = row.iou - baseline.iou
        hurt = [
            f"{name} {value:+.1f}"
            for name, value in zip(comparison.data.classes.names, change, strict=True)
            if value < -1
        ]
        said.append(words + (f" Worse: {', '.join(hurt)}." if hurt else ""))
    return said


def picture(comparison: Comparison, file: Path) -> None:
    """Draws image, truth and each method's prediction side by side."""
    val, classes = comparison.data.val, comparison.data.classes
    predictors = [load(row.folders[0]) for row in comparison.rows]
    shown = np.unique(np.linspace(0, len(val) - 1, SAMPLES + 1).round().astype(int))[:-1]
    tiles = [
        [as_rgb(val.image(i)), _colored(val, i, classes)]
        + [classes.colors[predictor.predict(val.image(i)).mask] for predictor in predictors]
        for i in shown.tolist() or [0]
    ]
    titles = ["image", "truth", *(row.method for row in comparison.rows)]
    contact_sheet(tiles, titles, tile=144).save(file)


def _colored(val: Dataset, index: int, classes: Classes) -> np.ndarray:
    """The truth in colors, white where there is no label."""
    colors = np.full((256, 3), 255, np.uint8)
    colors[: len(classes)] = classes.colors
    return np.asarray(colors[val.mask(index)])


def known_methods(text: str, known: Sequence[str]) -> list[str]:
    """Method names from `a,b,c` or `all`."""
    names = [*known] if text == "all" else text.split(",")
    for name in names:
        if name not in known and ":" not in name:
            raise UserError(f"--methods: unknown method '{name}'. {did_you_mean(name, known)}")
    if len(set(names)) < len(names):
        raise UserError("--methods names one method twice.")
    return names
