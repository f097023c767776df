"""The same verbs as the command line, for Python: train, evaluate, predict, load."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from fewmask.data import Classes, Data
from fewmask.data.lists.published import identify
from fewmask.engine.launch import is_first, launch
from fewmask.errors import UserError
from fewmask.evaluation import Scores
from fewmask.evaluation import evaluate as evaluate_network
from fewmask.evaluation.examination import Examination
from fewmask.evaluation.examination import examine as examine_network
from fewmask.recipes.recipe import Recipe, load_recipe, split_words
from fewmask.run_folder import checkpoint
from fewmask.runs.building import (
    absolute_paths,
    build_method,
    make_trainer,
    open_data,
    settle,
    start_from,
)
from fewmask.runs.files import (
    own_val,
    recipe_file,
    require_same_images,
    weights_file,
    write_run_files,
)
from fewmask.runs.loading import load

CHANGEABLE = (
    "training.steps",
    "training.log_every",
    "training.evaluate_every",
    "training.checkpoint_every",
    "machine",
    "data.root",  # the same images elsewhere; other images are refused
    "data.pool",
    "data.pool_disk_gb",
    "data.cache",
)
"""What may be changed when a run is resumed; everything else would make it another run."""


@dataclass(frozen=True)
class Run:
    """A finished (or interrupted) run."""

    folder: Path
    scores: dict[str, Scores]
    """Last scores of each network; empty if the run was interrupted."""


def train(
    *words: str | Path,
    out: Path | str | None = None,
    overwrite: bool = False,
    weights: Path | str | None = None,
    profile: bool = False,
) -> Run:
    """Trains a model.

    Args:
        words: as on the command line: a shipped recipe or a YAML file, if any, then options as
            `key=value`.
        out: the run folder; by default the next number under `runs/`.
        overwrite: whether `out` may hold a run already.
        weights: a checkpoint (`last.pt` or `best.pt`) to start from.
        profile: writes what some of the first steps spend their time on, `profile.txt` and
            `profile_trace.json`, into the run folder.

    Raises:
        UserError: for wrong settings or data, before training starts.

    Example:
        run = fewmask.train("synthetic", "method=imas", "training.steps=100")
        run.scores["teacher"].miou
    """
    resolved, data = _open(words)
    if weights is not None:
        _require_apart(Path(weights), out)
    start = None if weights is None else Path(weights)
    if not is_first():  # it writes nothing and tells nothing
        folder = Path("runs" if out is None else out)
        return Run(folder, _launch(resolved, folder, data, start, False, profile))
    name = f"{_word(resolved.data.name)}-{_word(resolved.method.name)}"
    is_new = out is None or not Path(out).exists()
    folder = checkpoint.new_run_folder(name, overwrite, None if out is None else Path(out))
    write_run_files(folder, resolved, data)
    try:
        scores = _launch(resolved, folder, data, start, False, profile)
    except UserError:
        if (
            is_new and not (folder / "metrics.jsonl").exists()
        ):  # it never began: leave no empty run behind
            shutil.rmtree(folder)
        raise
    return Run(folder, scores)


def _require_apart(weights: Path, out: Path | str | None) -> None:
    """The weights to start from can be read, and do not lie in the folder that is emptied."""
    checkpoint.load(weights)
    if out is not None and Path(out).resolve() in weights.resolve().parents:
        raise UserError(
            f"{weights} lies in {out}, which the new run would empty. Give another --out."
        )


def resume(folder: Path | str, *overrides: str) -> Run:
    """Continues a run exactly where its last checkpoint left it.

    Args:
        folder: the run folder.
        overrides: `machine.*`, `training.steps`, the `training.*_every` and where the data lie may
            change, see `CHANGEABLE`.

    Raises:
        UserError: if there is no run, or a setting changes that would make it another one.
    """
    folder = Path(folder)
    recipe = changed_recipe(folder, overrides)
    recipe = recipe.model_copy(update={"data": absolute_paths(recipe.data)})
    data = open_data(recipe, tell=False)
    require_same_images(folder, data)
    done = checkpoint.load(weights_file(folder, "last"))["step"]
    if recipe.training.steps < done:
        raise UserError(
            f"training.steps={recipe.training.steps}: {folder} has {done} steps behind it already."
        )
    if is_first():
        (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    return Run(folder, _launch(recipe, folder, data, None, True, False))


def changed_recipe(folder: Path, overrides: Sequence[str]) -> Recipe:
    """The recipe of a run, with the changes that a resume allows."""
    for override in overrides:
        key = override.partition("=")[0]
        if not any(key == allowed or key.startswith(allowed + ".") for allowed in CHANGEABLE):
            raise UserError(
                f"{key} cannot change in a resumed run; it would no longer be the same run. "
                f"Changeable: {', '.join(CHANGEABLE)}. For a new run from these weights: --weights "
                f"{folder}/weights/last.pt."
            )
    return load_recipe(recipe_file(folder), overrides)


def rehearse(*words: str | Path) -> tuple[Recipe, float, float]:
    """Builds everything and takes two steps, without writing anything.

    Args:
        words: as for `train`.

    Returns:
        The recipe, seconds per step, and peak memory in GiB.
    """
    resolved, data = _open(words)
    single = resolved.machine.model_copy(update={"devices": 1})
    seconds, memory = launch(single, resolved.training.precision, _rehearse_process, resolved, data)
    return resolved, seconds, memory


def evaluate(run: Path | str, *overrides: str, weights: str = "best") -> tuple[Classes, Scores]:
    """Scores a trained run on its validation images.

    Args:
        run: the run folder.
        overrides: `evaluation.*`, `data.*` and `machine.*` may differ from training.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...

    Returns:
        The classes, and the scores.
    """
    folder = Path(run)
    recipe, data = _to_score(folder, overrides)
    scores = launch(
        recipe.machine, recipe.training.precision, _evaluate_process, recipe, folder, weights, data
    )
    return data.classes, scores


def examine(run: Path | str, *overrides: str, weights: str = "best") -> tuple[Classes, Examination]:
    """Like `evaluate`, with boundary IoU, calibration, and the mIoU of each image; one device."""
    folder = Path(run)
    recipe, data = _to_score(folder, overrides)
    predictor = load(folder, weights, recipe.machine.accelerator)
    network, device = predictor.network, predictor.device
    found = examine_network(network, data.val, len(data.classes), recipe.evaluation, device)
    return data.classes, found


def _to_score(folder: Path, overrides: Sequence[str]) -> tuple[Recipe, Data]:
    """A run's recipe and data; its own validation images, unless others are asked for."""
    recipe = load_recipe(recipe_file(folder), overrides)
    data = open_data(recipe, needs_unlabeled=False)
    if not any(override.startswith("data") for override in overrides):
        data = replace(data, val=own_val(folder, data))
    return recipe, data


def _open(words: Sequence[str | Path]) -> tuple[Recipe, Data]:
    """The recipe, settled, and its data; says what was decided on the user's behalf."""
    recipe = load_recipe(*split_words(words))
    data = open_data(recipe)
    labeled = identify(data.labeled.names)
    if labeled.published:
        print(f"The labeled images are the published list {labeled.name}. {labeled.note}")
    recipe, said = settle(recipe, data)
    for sentence in said:
        print(sentence)
    return recipe, data


def _launch(
    recipe: Recipe,
    folder: Path,
    data: Data,
    weights: Path | None,
    is_resumed: bool,
    profile: bool,
) -> dict[str, Scores]:
    scores: dict[str, Scores] = launch(
        recipe.machine,
        recipe.training.precision,
        _train_process,
        recipe,
        folder,
        data,
        weights,
        is_resumed,
        profile,
    )
    return scores if is_first() else {}


def _train_process(
    fabric: Fabric,
    recipe: Recipe,
    folder: Path,
    data: Data,
    weights: Path | None,
    is_resumed: bool,
    profile: bool,
) -> dict[str, Scores]:
    """What every process of a training run does."""
    fresh = not is_resumed and weights is None
    method = build_method(recipe, len(data.classes), pretrained=fresh)
    if weights is not None:
        start_from(method, weights)
    trainer = make_trainer(fabric, recipe, method, data, folder, is_resumed)
    if is_resumed and fabric.global_rank == 0:
        print(
            f"Resumed {folder} at step {trainer.step} of {recipe.training.steps}: networks, "
            "optimizers, learning rate and best scores are restored."
        )
    return trainer.run(profile=profile)


def _rehearse_process(fabric: Fabric, recipe: Recipe, data: Data) -> tuple[float, float]:
    method = build_method(recipe, len(data.classes), pretrained=True)
    return make_trainer(fabric, recipe, method, data, Path()).rehearse()


def _evaluate_process(
    fabric: Fabric, recipe: Recipe, folder: Path, weights: str, data: Data
) -> Scores:
    predictor = load(folder, weights, recipe.machine.accelerator)
    if predictor.classes.names != data.classes.names:
        raise UserError(
            f"{folder} was trained on the classes {list(predictor.classes.names)}, but the data "
            f"has {list(data.classes.names)}."
        )
    network = predictor.network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with fabric.autocast():
        return evaluate_network(
            network, data.val, len(data.classes), recipe.evaluation, fabric.device
        )


def _word(name: str) -> str:
    """A name fit for a folder: the class of an import path, in lower case."""
    return name.rpartition(":")[2].lower()
