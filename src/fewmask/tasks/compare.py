"""Trains several methods with several seeds, so that they can be compared."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from fewmask.data import Classes, Data, Dataset
from fewmask.data.images import as_rgb
from fewmask.data.own_files import OwnFiles
from fewmask.engine.screen import Screen
from fewmask.errors import UserError
from fewmask.evaluation import evaluate
from fewmask.recipes import Recipe, load_run_recipe, settle
from fewmask.recipes.choosing import as_before, choose_model
from fewmask.report.comparison import Comparison, Row
from fewmask.report.output import require_folder
from fewmask.report.pictures import contact_sheet, save_whole
from fewmask.run_folder.lock import one_writer
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.subsets import require_same_images
from fewmask.run_folder.tables import read_table
from fewmask.run_folder.val_images import read_val_images
from fewmask.runs.build import open_data
from fewmask.runs.duration import Length, settle_duration, with_length
from fewmask.runs.precision import settle_precision
from fewmask.runs.run import Run
from fewmask.tasks.compare_plan import Plan, Planned
from fewmask.tasks.train import resume, train

SAMPLES = 5
"""Validation images in the picture."""
WITHOUT_EFFECT = {"machine", "logging"}
"""Sections of a recipe that do not affect the result of training."""


def compare(recipes: Sequence[Recipe], out: Path) -> Comparison:
    """Trains the runs of a comparison that are missing.

    Finished runs are kept and interrupted ones resumed. After a stop, make the same call again.

    Args:
        recipes: one per method and seed, all on the same data, sorted by method.
        out: the folder for the runs, which are called `METHOD-seedN`.

    Raises:
        UserError: for wrong settings or data, before training starts; or if `out` holds runs with
            other settings, or another process writes to it.
        Stopped: if a signal has ended it.
    """
    require_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    with one_writer(out):
        return _compared(recipes, out)


def _compared(recipes: Sequence[Recipe], out: Path) -> Comparison:
    recipes = _with_one_encoder(recipes, out)
    data = open_data(recipes[0], any(recipe.needs_unlabeled for recipe in recipes))
    recipes = _of_one_length(_in_one_precision(recipes, data, out), data, out)
    plan = Plan([Planned(r.method.name, r.seed, _folder(out, r)) for r in recipes])
    for recipe, planned in zip(recipes, plan.runs, strict=True):
        _require_same_settings(planned.paths, recipe, data)
    print(f"\n{plan.in_words()}")
    runs = []
    for number, recipe in enumerate(recipes):
        print(f"\n{plan.before(number)}")
        runs.append(_trained(recipe, data, plan.runs[number].folder, len(recipes) - number))
        print(plan.after(number))
    # The recipes of a method follow each other, as groupby needs them.
    by_method = groupby(zip(recipes, runs, strict=True), key=lambda pair: pair[0].method.name)
    return Comparison(
        [_row(method, [run for _, run in pairs]) for method, pairs in by_method], data
    )


def _folder(out: Path, recipe: Recipe) -> Path:
    """The run folder of a recipe."""
    method = recipe.method.name.replace(":", "-")  # of an import path; Windows refuses a colon
    return out / f"{method}-seed{recipe.seed}"


def _with_one_encoder(recipes: Sequence[Recipe], out: Path) -> list[Recipe]:
    """Chooses the encoder and its weights once, so that they are the same in all runs.

    Where a run has been made already, its choice holds: what can be had may have changed since.
    """
    chosen = next(_begun(recipes, out), None)
    if chosen is None:
        chosen, notes = choose_model(recipes[0])
        for note in notes:
            print(note)
    return [as_before(recipe, chosen.model) for recipe in recipes]


def _begun(recipes: Sequence[Recipe], out: Path) -> Iterator[Recipe]:
    """The recipes of the runs that are there already, as they were settled then."""
    for recipe in recipes:
        file = RunPaths(_folder(out, recipe)).recipe
        if file.is_file():
            yield load_run_recipe(file)


def _in_one_precision(recipes: Sequence[Recipe], data: Data, out: Path) -> list[Recipe]:
    """The recipes with the precision of the runs that are there, or else with one for all."""
    if recipes[0].training.precision != "auto":
        return [*recipes]
    # Runs on a GPU keep `auto`, which settles nothing for a CPU.
    settled = (run for run in _begun(recipes, out) if run.training.precision != "auto")
    chosen = next(settled, None) or settle_precision(recipes[0], len(data.classes), print)
    precision = {"precision": chosen.training.precision}
    return [
        recipe.model_copy(update={"training": recipe.training.model_copy(update=precision)})
        for recipe in recipes
    ]


def _of_one_length(recipes: Sequence[Recipe], data: Data, out: Path) -> list[Recipe]:
    """The recipes with equal steps, found by timing if a duration is asked for.

    The time is that of a method with unlabeled images, whose steps take longer.
    """
    if recipes[0].training.minutes is None:
        return [*recipes]
    timed = next(_begun(recipes, out), None)
    if timed is None:
        slow = next((recipe for recipe in recipes if recipe.needs_unlabeled), recipes[0])
        timed = settle_duration(settle(slow, data)[0], data, print)
    length = Length(timed.training.steps, timed.training.evaluation_interval())
    return [with_length(recipe, length) for recipe in recipes]


def _trained(recipe: Recipe, data: Data, folder: Path, left: int) -> Run:
    """The finished run of a recipe, resumed or trained if necessary; `left` runs with this one."""
    data, paths = _data_of(recipe, data), RunPaths(folder)
    # Without a checkpoint there is nothing to continue: it was killed in its first moments.
    if not (paths.recipe.is_file() and paths.last.is_file()):
        return train(recipe, folder, overwrite=True, data=data, runs=left, is_compared=True)
    require_same_images(paths, data)
    run = Run.open(folder, data=data)
    if not run.is_finished:
        return resume(folder, data=data, is_compared=True)
    print(f"already finished: {folder}")
    return run


def _data_of(recipe: Recipe, data: Data) -> Data:
    """The data as the run records them when it is trained alone, where no pool may be opened."""
    return data if recipe.needs_unlabeled else data.without_pool()


def _require_same_settings(paths: RunPaths, recipe: Recipe, data: Data) -> None:
    """Refuses a folder that holds a run with other settings."""
    if not paths.recipe.is_file():
        return
    before, wanted = load_run_recipe(paths.recipe), settle(recipe, _data_of(recipe, data))[0]
    left_out: dict[str, Any] = {section: True for section in WITHOUT_EFFECT}
    if before.training.precision == "auto":
        left_out["training"] = {"precision"}
    if before.model_dump(exclude=left_out) != wanted.model_dump(exclude=left_out):
        raise UserError(
            f"{paths.folder} holds a run with other settings. Give another --out, or remove it."
        )


def _row(method: str, runs: Sequence[Run]) -> Row:
    results = [run.result for run in runs]
    # A method is judged by the network that it evaluates first.
    main = next(iter(results[0].networks))
    tables = [read_table(run.paths.results) for run in runs]
    return Row(
        method,
        [run.folder for run in runs],
        [result.networks[main] for result in results],
        np.stack([counts_of(run, main) for run in runs]),
        mean(sum(result.seconds.values()) / 60 for result in results),
        max(result.memory_gib for result in results),
        [[(int(r["step"]), float(r["miou"])) for r in t if r["network"] == main] for t in tables],
    )


def counts_of(run: Run, network: str) -> np.ndarray:
    """Intersection, union and truth of each validation image and class, in pixels: [3, N, K].

    They were noted at the last evaluation, unless an older version trained the run.

    Args:
        run: a finished run.
        network: of the last checkpoint: `student`, `teacher` ...
    """
    noted = read_val_images(run.paths, run.result.steps, network)
    if noted is not None and noted.shape[1:] == (len(run.val), len(run.data.classes)):
        return noted
    predictor = run.network(network)
    with Screen() as screen:
        track = partial(screen.track, "scoring image")
        found = evaluate(
            predictor.network,
            run.val,
            len(predictor.classes),
            run.recipe.evaluation,
            predictor.device,
            track,
        )
    assert found.images is not None
    return found.images


def picture(comparison: Comparison, file: Path) -> None:
    """Saves a picture of images, truth and each method's predictions side by side."""
    val, classes = comparison.data.val, comparison.data.classes
    predictors = [Run.open(row.folders[0]).network() for row in comparison.rows]
    shown = np.unique(np.linspace(0, len(val) - 1, SAMPLES + 1).round().astype(int))[:-1]
    tiles = [
        [as_rgb(val.image(i)), _colored(val, i, classes)]
        + [classes.colors[predictor.predict(val.image(i)).mask] for predictor in predictors]
        for i in shown.tolist() or [0]
    ]
    titles = ["image", "truth", *(row.title for row in comparison.rows)]
    save_whole(contact_sheet(tiles, titles, tile=144), file, OwnFiles(file.parent))


def _colored(val: Dataset, index: int, classes: Classes) -> np.ndarray:
    """The truth in colors; white where there is no label."""
    colors = np.full((256, 3), 255, np.uint8)
    colors[: len(classes)] = classes.colors
    return np.asarray(colors[val.mask(index)])
