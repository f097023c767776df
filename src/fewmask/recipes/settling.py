"""Replaces what a recipe leaves open with plain numbers, once data and machine are known."""

import os
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.config import validate
from fewmask.data import Data, DataSource
from fewmask.data.dataset import label_shares
from fewmask.data.pool.shard_files import is_remote
from fewmask.engine.settings import TrainingConfig
from fewmask.engine.streams import progress_at_start, steps_per_epoch
from fewmask.errors import UserError, listed
from fewmask.methods import Method
from fewmask.models.model import ModelConfig, name_decoder
from fewmask.recipes.recipe import Recipe

MAX_CLASS_WEIGHT = 10.0
"""Limits the weight of very rare classes, whose few pixels would dominate the loss."""

WARM_UPS = {
    "warmup": "no step uses an unlabeled image",
    "copy": "the teacher stays a copy of the student",
    "ablation.supervised": "no step uses an unlabeled image",
}
"""How options of methods call their warm-ups (`warmup_epochs`), and what is missing until then."""


def settle(recipe: Recipe, data: Data) -> tuple[Recipe, list[str]]:
    """Derives what a recipe leaves open: steps, rounds, class weights, decoder, absolute paths.

    Args:
        recipe: as given by the user.
        data: of the recipe, opened.

    Returns:
        The recipe in plain numbers, and one sentence for each decision.

    Raises:
        UserError: for settings that contradict each other or the data.
    """
    if recipe.training.compile and recipe.model.checkpointing:
        raise UserError(
            "training.compile and model.checkpointing cannot be combined, because torch.compile "
            "decides by itself what to keep for the backward pass. Leave out one of them."
        )
    notes: list[str] = []
    training = {
        **recipe.training.model_dump(),
        "steps": _steps(recipe, data, notes),
        # Epochs are replaced by steps: a resumed run must not derive another number of steps.
        "epochs": None,
        "evaluate_every": _evaluate_every(recipe, data, notes),
        "evaluate_every_epochs": None,
        "accumulate": _rounds(recipe, notes),
    }
    settled = {
        "training": validate(TrainingConfig, training, "training"),
        "method": _with_class_weights(recipe.method, data, notes),
        "data": absolute_paths(recipe.data).model_copy(update={"range": data.value_range}),
        "model": _with_decoder(recipe.model, notes),
    }
    recipe = recipe.model_copy(update=settled)
    _note_long_warm_ups(recipe, data, notes)
    return recipe, notes


def _steps(recipe: Recipe, data: Data, notes: list[str]) -> int:
    """Gradient steps; an epoch is a pass over the unlabeled images, if the method uses any."""
    epochs = recipe.training.epochs
    if epochs is None:
        return recipe.training.steps
    steps = epochs * steps_per_epoch(data, recipe.loader, recipe.method_class.views)
    kind = "unlabeled" if recipe.needs_unlabeled else "labeled"
    images = len(getattr(data, kind))
    notes.append(f"{epochs} passes over {images} {kind} images are {steps} steps.")
    return steps


def _evaluate_every(recipe: Recipe, data: Data, notes: list[str]) -> int | None:
    """Steps between evaluations, if the recipe settles them."""
    epochs = recipe.training.evaluate_every_epochs
    if epochs is None:
        return recipe.training.evaluate_every
    steps = epochs * steps_per_epoch(data, recipe.loader, recipe.method_class.views)
    notes.append(f"Evaluations: every {steps} steps (training.evaluate_every_epochs={epochs}).")
    return steps


def _rounds(recipe: Recipe, notes: list[str]) -> int:
    """Accumulation rounds, which keep the batch size on fewer devices than the recipe expects."""
    if recipe.training.accumulate is not None:
        return recipe.training.accumulate
    devices, reference = recipe.machine.devices, recipe.training.reference_devices
    rounds = max(1, reference // devices)
    if rounds > 1:
        batch = f"{recipe.loader.labeled_batch} labeled"
        if recipe.needs_unlabeled:
            batch += f" + {recipe.loader.unlabeled_batch} unlabeled"
        notes.append(
            f"The batch of {batch} images was made for {reference} devices. With {devices}, each "
            f"step takes it in {rounds} rounds, and BatchNorm sees one round at a time. If your "
            "device has enough memory for the whole batch, set training.accumulate=1."
        )
    return rounds


def _with_class_weights(config: Method.Config, data: Data, notes: list[str]) -> Method.Config:
    """The settings of the method with one number per class as class weights."""
    loss = getattr(config, "supervised_loss", None)
    if loss is None or loss.class_weights is None:
        return config
    weights = loss.class_weights
    if weights == "balanced":
        weights = balanced_weights(data)
        shown = zip(data.classes.names, weights, strict=True)
        notes.append(f"Class weights: {listed(f'{name} {w:.2f}' for name, w in shown)}.")
    if len(weights) != len(data.classes):
        raise UserError(
            f"method.supervised_loss.class_weights has {len(weights)} numbers, but there are "
            f"{len(data.classes)} classes."
        )
    loss = loss.model_copy(update={"class_weights": weights})
    return config.model_copy(update={"supervised_loss": loss})


def balanced_weights(data: Data) -> tuple[float, ...]:
    """Class weights 1 / sqrt(share of the labeled pixels), scaled to 1 for the average pixel.

    No weight exceeds 10.
    """
    shares = label_shares(data.labeled, len(data.classes))
    weights = 1 / np.sqrt(np.maximum(shares, 1e-6))  # a class without pixels divides by 0
    weights = np.minimum(weights / (shares * weights).sum(), MAX_CLASS_WEIGHT)
    return tuple(weights.round(4).tolist())


def _note_long_warm_ups(recipe: Recipe, data: Data, notes: list[str]) -> None:
    """Says so if a warm-up of the method lasts as long as the run."""
    progress = progress_at_start(data, recipe, recipe.method_class.views)
    for phase, effect in WARM_UPS.items():
        in_epochs, in_steps = f"{phase}_epochs", f"{phase}_steps"
        try:
            epochs, steps = attrgetter(in_epochs, in_steps)(recipe.method)
        except AttributeError:
            continue
        length, total = progress.in_steps(epochs, steps), progress.total_steps
        if length >= total:
            cause = f"{in_epochs}={epochs}" if steps is None else f"{in_steps}={steps}"
            notes.append(
                f"method.{cause} lasts {length} steps and the run {total}, so {effect}. Set "
                f"method.{in_steps} to a smaller number, or train longer (training.steps)."
            )


def _with_decoder(config: ModelConfig, notes: list[str]) -> ModelConfig:
    """The settings of the network with the decoder by name."""
    named = name_decoder(config)
    if named is not config:
        notes.append(f"The decoder for {config.encoder} is {named.decoder.name}.")
    return named


def absolute_paths(config: DataSource.Config) -> DataSource.Config:
    """The same options with absolute paths, so that the run can be used from any folder."""
    changed: dict[str, Any] = {}
    for name in ("root", "image_labels", "cache"):
        if getattr(config, name, None) is not None:
            changed[name] = Path(os.path.abspath(getattr(config, name)))
    if config.pool is not None and not is_remote(config.pool):
        changed["pool"] = os.path.abspath(config.pool)
    labeled = getattr(config, "labeled", None)
    if isinstance(labeled, str) and Path(labeled).is_file():
        changed["labeled"] = os.path.abspath(labeled)
    return config.model_copy(update=changed)
