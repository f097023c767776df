"""From a recipe to the things it describes: data, method, trainer."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from fewmask.batch import Dataset
from fewmask.config import find, validate
from fewmask.data import Data, DataSource
from fewmask.data.cache import DecodedFolder
from fewmask.data.checks.before_training import check_data
from fewmask.data.dataset import label_shares
from fewmask.data.files import Files
from fewmask.data.image_labels import read_image_labels
from fewmask.data.lists.published import identify
from fewmask.data.pool.opening import open_pool
from fewmask.data.pool.shard_files import is_remote
from fewmask.data.pool.shards import ShardPool
from fewmask.engine.memory import keep_freed_memory
from fewmask.engine.settings import TrainingConfig
from fewmask.engine.trainer import Trainer
from fewmask.errors import UserError
from fewmask.methods import METHODS, Method
from fewmask.models import ModelConfig, create_model
from fewmask.recipes.recipe import Recipe
from fewmask.run_folder import checkpoint

MOST_WEIGHT = 10.0


def open_data(recipe: Recipe, needs_unlabeled: bool | None = None, tell: bool = True) -> Data:
    """Opens a recipe's data and checks every file.

    Args:
        recipe: says which data.
        needs_unlabeled: whether unlabeled images must be there; by default if the method asks for
            them.
        tell: whether to say what was decided on the user's behalf.

    Raises:
        UserError: for the first file or set that is wrong.
    """
    say: Callable[[str], None] = print if tell else lambda note: None
    if needs_unlabeled is None:
        needs_unlabeled = _uses_unlabeled(recipe)
    data = recipe.source().open()
    if needs_unlabeled:
        data = _with_pool(data, recipe, say)
    data = _as_read(data, recipe)
    if recipe.data.image_labels is not None:
        present = read_image_labels(recipe.data.image_labels, data.unlabeled.names, data.classes)
        data = replace(data, image_labels=present)
    check_data(data, needs_unlabeled, say)
    return data


def _with_pool(data: Data, recipe: Recipe, tell: Callable[[str], None]) -> Data:
    """The data with the unlabeled images of `data.pool`, if that is given."""
    config = recipe.data
    if config.pool is None:
        return data
    channels = recipe.model.in_channels
    pool = open_pool(config.pool, config.long_side, channels, config.pool_disk_gb, tell)
    note = f"data.pool: {len(pool)} unlabeled images"
    if isinstance(pool, ShardPool):
        note += f" in {len(pool.urls)} shard(s)"
    if left_out := len(data.unlabeled):
        note += f", in place of the {left_out} that data.name={config.name} has of its own"
    return replace(data, unlabeled=pool, notes=(*data.notes, f"{note}."))


def _as_read(data: Data, recipe: Recipe) -> Data:
    """The data with images of as many bands as the model takes, decoded copies kept if asked."""
    channels, cache = recipe.model.in_channels, recipe.data.cache
    decoded = None if cache is None else DecodedFolder(cache)

    def as_read(part: Dataset) -> Dataset:
        if isinstance(part, Files):
            return replace(part, channels=channels, decoded=decoded)
        if len(part) > 0 and (found := part.image(0).shape[2]) != channels:
            raise UserError(
                f"data.name gives images of {found} band(s), model.in_channels={channels}. Set "
                f"model.in_channels={found}."
            )
        return part

    labeled, unlabeled, val = map(as_read, (data.labeled, data.unlabeled, data.val))
    return replace(data, labeled=labeled, unlabeled=unlabeled, val=val)


def settle(recipe: Recipe, data: Data) -> tuple[Recipe, list[str]]:
    """Works out what follows from the data and the machine: steps, rounds, class weights, paths.

    Args:
        recipe: as the user gave it.
        data: opened.

    Returns:
        The recipe in plain numbers, and what was worked out, in words.

    Raises:
        UserError: for settings that contradict each other or the data.
    """
    said: list[str] = []
    if recipe.training.compile and recipe.model.checkpointing:
        raise UserError(
            "training.compile and model.checkpointing do not go together: torch.compile decides by "
            "itself what is kept for the backward pass. Leave one of them out."
        )
    training = {
        **recipe.training.model_dump(),
        "steps": _steps(recipe, data, said),
        "epochs": None,
        "accumulate": _rounds(recipe, said),
    }
    settled = {
        "training": validate(TrainingConfig, training, "training"),
        "method": _with_class_weights(recipe.method, data, said),
        "data": absolute_paths(recipe.data),
    }
    return recipe.model_copy(update=settled), said


def _uses_unlabeled(recipe: Recipe) -> bool:
    return find(recipe.method.name, METHODS, "method").views is not None


def _steps(recipe: Recipe, data: Data, said: list[str]) -> int:
    """Gradient steps; epochs are passes over the stream that the method is about."""
    epochs, loader = recipe.training.epochs, recipe.loader
    if epochs is None:
        return recipe.training.steps
    pool, batch, kind = len(data.labeled), loader.labeled_batch, "labeled"
    if _uses_unlabeled(recipe):
        pool, batch, kind = len(data.unlabeled), loader.unlabeled_batch, "unlabeled"
    steps = epochs * max(1, pool // batch)
    said.append(f"{epochs} passes over {pool} {kind} images are {steps} steps.")
    return steps


def _rounds(recipe: Recipe, said: list[str]) -> int:
    """Accumulation rounds; with fewer devices than the recipe was made for, they keep its batch."""
    if recipe.training.accumulate is not None:
        return recipe.training.accumulate
    devices, reference = recipe.machine.devices, recipe.training.reference_devices
    rounds = max(1, reference // devices)
    if rounds > 1:
        batch = f"{recipe.loader.labeled_batch} labeled"
        if _uses_unlabeled(recipe):
            batch += f" + {recipe.loader.unlabeled_batch} unlabeled"
        said.append(
            f"The batch of {batch} images was made for {reference} devices; on {devices} it is "
            f"taken in {rounds} rounds per step. BatchNorm sees one round at a time. For a device "
            "with memory enough: training.accumulate=1."
        )
    return rounds


def _with_class_weights(config: Method.Config, data: Data, said: list[str]) -> Method.Config:
    """The method's settings with class weights in numbers, one per class."""
    loss = getattr(config, "supervised_loss", None)
    if loss is None or loss.class_weights is None:
        return config
    weights = loss.class_weights
    if weights == "balanced":
        weights = balanced_weights(data)
        shown = zip(data.classes.names, weights, strict=True)
        said.append("Class weights: " + ", ".join(f"{name} {w:.2f}" for name, w in shown) + ".")
    if len(weights) != len(data.classes):
        raise UserError(
            f"method.supervised_loss.class_weights has {len(weights)} numbers, but there are "
            f"{len(data.classes)} classes."
        )
    loss = loss.model_copy(update={"class_weights": weights})
    return config.model_copy(update={"supervised_loss": loss})


def absolute_paths(config: DataSource.Config) -> DataSource.Config:
    """Paths from the root, so that the run's recipe can be used from any folder."""
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


def balanced_weights(data: Data) -> tuple[float, ...]:
    """Class weights 1 / sqrt(share of the labeled pixels), 1 for the average pixel, 10 at most."""
    shares = label_shares(data.labeled, len(data.classes))
    weights = 1 / np.sqrt(np.maximum(shares, 1e-6))
    weights = np.minimum(weights / (shares * weights).sum(), MOST_WEIGHT)
    return tuple(weights.round(4).tolist())


def build_method(recipe: Recipe, num_classes: int, pretrained: bool) -> Method:
    """The method of a recipe, with weights drawn from its seed.

    Args:
        recipe: says which method, around which model.
        num_classes: K.
        pretrained: whether to load the encoder's pretrained weights, if the recipe names any; not
            needed where a checkpoint overwrites them.
    """
    torch.manual_seed(recipe.seed)
    model = recipe.model if pretrained else without_download(recipe.model)
    create_network = partial(create_model, model, num_classes)
    method: Method = find(recipe.method.name, METHODS, "method")(create_network, recipe.method)
    return method


def without_download(config: ModelConfig) -> ModelConfig:
    """The model without pretrained weights, for when a checkpoint overwrites them anyway."""
    return config.model_copy(update={"pretrained": False})


def start_from(method: Method, file: Path) -> None:
    """Loads weights of another run: a method's from `last.pt`, every network's from `best.pt`."""
    state = checkpoint.load(file)
    if "method" in state:
        checkpoint.fill(method, state["method"], file)
        return
    for network in method.predictors().values():
        checkpoint.fill(network, checkpoint.load(file, "weights")["weights"], file)


def make_trainer(
    fabric: Fabric,
    recipe: Recipe,
    method: Method,
    data: Data,
    folder: Path,
    is_resumed: bool = False,
) -> Trainer:
    """The trainer of a recipe, with what `best.pt` must carry to be used without it."""
    card = {
        "method_name": recipe.method.name,
        "model": without_download(recipe.model).model_dump(mode="json"),
        "evaluation": recipe.evaluation.model_dump(mode="json"),
        "class_names": list(data.classes.names),
        "class_colors": data.classes.colors.tolist(),
        "class_values": list(data.classes.values),
        "no_label": [data.classes.no_label, list(data.classes.no_label_color)],
        "long_side": recipe.data.long_side,
        "labeled": identify(data.labeled.names).as_dict(),
    }
    if fabric.device.type == "cpu" and not recipe.model.checkpointing:  # there memory comes first
        keep_freed_memory()
    return Trainer(
        fabric,
        method,
        data,
        folder,
        seed=recipe.seed,
        loader=recipe.loader,
        training=recipe.training,
        evaluation=recipe.evaluation,
        machine=recipe.machine,
        card=card,
        resume=is_resumed,
    )
