"""Trains a model, or resumes an interrupted run."""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric

from fewmask import atomic
from fewmask.config.trust import remember
from fewmask.data import BatchStream, Data
from fewmask.data.lists.published import recognize_dataset
from fewmask.engine.devices import environment
from fewmask.engine.launch import is_first, launch
from fewmask.engine.optimizers import make_optimizer
from fewmask.engine.sinks.choosing import create_sinks
from fewmask.errors import Stopped, UserError
from fewmask.recipes import Recipe, load_run_recipe, settle
from fewmask.recipes.choosing import choose_model, names_encoder, with_model
from fewmask.recipes.settling import absolute_paths
from fewmask.run_folder import checkpoint
from fewmask.run_folder.creating import new_run_folder
from fewmask.run_folder.lock import one_writer
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.subsets import require_same_images, write_subsets
from fewmask.runs.build import build_method, make_trainer, open_data
from fewmask.runs.duration import settle_duration
from fewmask.runs.initial_weights import InitialWeights
from fewmask.runs.precision import settle_precision
from fewmask.runs.run import Run
from fewmask.tasks.changeable import require_changeable


class Start(NamedTuple):
    """How training starts: from scratch, from another run's weights, or where the run stopped."""

    weights: InitialWeights | None = None
    is_resumed: bool = False
    profile: bool = False
    runs: int = 1
    """Runs of this kind that there will be, with this one."""
    is_compared: bool = False


def train(
    recipe: Recipe,
    out: Path | None = None,
    overwrite: bool = False,
    weights: InitialWeights | None = None,
    profile: bool = False,
    data: Data | None = None,
    tell: Callable[[str], None] = print,
    runs: int = 1,
    is_compared: bool = False,
) -> Run:
    """Trains a model.

    Args:
        recipe: as given by the user.
        out: the run folder; by default the next free number under `runs/`.
        overwrite: whether to replace a run that `out` holds.
        weights: of another run, to start from.
        profile: whether to write a table of what the first steps spend their time on.
        data: the data of the recipe, if they are already open.
        tell: receives notes on what was decided for the user.
        runs: how many such runs there will be, with this one.
        is_compared: whether it is compared with other methods; advice then names the options of
            this method alone.

    Raises:
        UserError: for wrong settings or data, before training starts.
        Stopped: if a signal has ended the run, which can be resumed.
    """
    if weights is not None:
        _require_outside(weights, out)
        recipe = starting_from(recipe, weights)
    recipe, data = open_and_settle(recipe, data, tell)
    if weights is not None:
        said = weights.in_words(data.classes.names)
        if is_first():
            tell(said)
    start = Start(weights, profile=profile, runs=runs, is_compared=is_compared)
    if not is_first():  # under torchrun, only the first process creates the folder and prints
        return _launch(recipe, out or Path("runs"), data, start)
    is_new = out is None or not out.exists()
    if not is_new:
        _require_startable(recipe, data)  # before the run that is to be replaced is emptied
    name = f"{_word(recipe.data.name)}-{_word(recipe.method.name)}"
    with new_run_folder(name, overwrite, out) as folder:
        _write_run_files(RunPaths(folder), recipe, data, start)
        try:
            return _launch(recipe, folder, data, start)
        except UserError:
            # Do not leave an empty run behind, but never delete a folder that existed before.
            if is_new and not RunPaths(folder).metrics.exists():
                shutil.rmtree(folder, ignore_errors=True)
            raise


def resume(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    data: Data | None = None,
    is_compared: bool = False,
) -> Run:
    """Continues a run exactly where its last checkpoint left it.

    Args:
        folder: the run folder.
        changes: nested settings; `CHANGEABLE` lists those that may change.
        data: the data of the run, if they are already open.
        is_compared: as for `train`.

    Raises:
        UserError: if there is no such run, if another process writes to it, or if a change would
            make it another run.
        Stopped: if a signal has ended the run, which can be resumed.
    """
    paths = Run.open(folder).paths
    with one_writer(folder) if is_first() else nullcontext():
        return _continued(paths, changes or {}, data, is_compared)


def _continued(
    paths: RunPaths, changes: Mapping[str, Any], data: Data | None, is_compared: bool
) -> Run:
    """The run after its last step; no other process writes to it."""
    recipe = load_run_recipe(paths.recipe, changes)  # first: a misspelled option is named as such
    require_changeable(paths, changes)
    # A changed data.root may be relative, but the recipe on disk holds for any folder.
    recipe = recipe.model_copy(update={"data": absolute_paths(recipe.data)})
    # The notes were told when the run began.
    data = data or open_data(recipe, tell=lambda note: None)
    require_same_images(paths, data)
    done = checkpoint.load(paths.last)["step"]
    if recipe.training.steps < done:
        raise UserError(
            f"training.steps={recipe.training.steps}: {paths.folder} has already taken {done} "
            "steps. Give a larger number."
        )
    create_sinks(recipe.logging)  # a sink that cannot be used must not get into the recipe
    if is_first():
        atomic.write_bytes(paths.recipe, remember(recipe.to_run_yaml().encode(), paths.recipe))
    start = Start(is_resumed=True, is_compared=is_compared)
    return _launch(recipe, paths.folder, data, start)


def open_and_settle(
    recipe: Recipe, data: Data | None, tell: Callable[[str], None]
) -> tuple[Recipe, Data]:
    """The recipe in plain numbers, and its data; reports what was decided for the user."""
    recipe, notes = choose_model(recipe)  # first: weights are found sooner than a million files
    if is_first():
        for note in notes:
            tell(note)
    data = data or open_data(recipe, tell=tell)
    labeled = recognize_dataset(data.labeled)
    if labeled.published:
        tell(f"The labeled images are the published list {labeled.name}. {labeled.note}")
    recipe, notes = settle(recipe, data)
    for note in notes:
        tell(note)
    recipe = settle_precision(recipe, len(data.classes), tell)
    return settle_duration(recipe, data, tell), data


def _require_outside(weights: InitialWeights, out: Path | None) -> None:
    """Makes sure that the weights are not in the folder that is emptied."""
    if out is not None and out.resolve() in weights.file.resolve().parents:
        raise UserError(
            f"{weights.file} is inside {out}, which the new run would empty. Give another --out."
        )


def starting_from(recipe: Recipe, weights: InitialWeights) -> Recipe:
    """The recipe with the encoder of a checkpoint, whose weights replace the pretrained ones."""
    encoder = recipe.model.encoder if names_encoder(recipe) else weights.encoder()
    return with_model(recipe, encoder, False)


def _require_startable(recipe: Recipe, data: Data) -> None:
    """Finds the mistakes that would otherwise end a run only when its folder is already made."""
    create_sinks(recipe.logging)
    # A file of weights is read, but nothing is downloaded.
    has_file = isinstance(recipe.model.pretrained, Path)
    method = build_method(recipe, len(data.classes), pretrained=has_file)
    BatchStream(data, recipe.loader, method.views, recipe.seed)  # finds the views
    side = recipe.loader.crop
    method.require_contract(torch.zeros(1, recipe.model.in_channels, side, side))
    for names in method.trained_together():
        make_optimizer([getattr(method, name) for name in names], recipe.training)


def _write_run_files(paths: RunPaths, recipe: Recipe, data: Data, start: Start) -> None:
    """Writes the files that are needed to repeat a run: recipe, environment, image names."""
    # First, because it makes a folder a run: a kill right after it can be repaired by --overwrite.
    atomic.write_bytes(paths.recipe, remember(recipe.to_run_yaml().encode()))
    facts = environment()
    facts |= {} if start.weights is None else {"started from": str(start.weights.file.resolve())}
    atomic.write_text(paths.environment, json.dumps(facts, indent=2))
    write_subsets(paths, data)


def _launch(recipe: Recipe, folder: Path, data: Data, start: Start) -> Run:
    precision = recipe.training.precision
    signal = launch(recipe.machine, precision, _train_process, recipe, folder, data, start)
    if signal is not None:
        raise Stopped(signal)
    return Run(folder, data=data)


def _train_process(
    fabric: Fabric, recipe: Recipe, folder: Path, data: Data, start: Start
) -> int | None:
    """Trains in one process of a run; returns the signal that has stopped it, if one has."""
    # A checkpoint overwrites pretrained weights, so do not download any for it.
    fresh = not start.is_resumed and start.weights is None
    method = build_method(recipe, len(data.classes), pretrained=fresh)
    if start.weights is not None:
        start.weights.fill(method)
    trainer = make_trainer(fabric, recipe, method, data, folder, start.is_resumed)
    if start.is_compared:
        trainer.health.remedies.method = f"methods.{recipe.method.name}"
    if start.is_resumed and fabric.global_rank == 0:
        print(
            f"Resuming {folder} after step {trainer.step} of {recipe.training.steps}. Networks, "
            "optimizers, learning rate and best scores are restored."
        )
    trainer.run(profile=start.profile, runs=start.runs)
    return trainer.stop.number if trainer.is_stopped else None


def _word(name: str) -> str:
    """A word for the name of a folder; for an import path, the name of its class."""
    return name.rpartition(":")[2].lower()
