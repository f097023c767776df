"""Builds what a recipe describes: data, method, trainer."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from fewmask.data import Data, opening
from fewmask.data.lists.published import recognize_dataset
from fewmask.engine.memory import keep_freed_memory
from fewmask.engine.trainer import Trainer
from fewmask.methods import Method
from fewmask.models import ModelConfig, create_model
from fewmask.recipes import Recipe


def open_data(
    recipe: Recipe, needs_unlabeled: bool | None = None, tell: Callable[[str], None] = print
) -> Data:
    """Opens a recipe's data and checks every file.

    Args:
        recipe: names the data.
        needs_unlabeled: whether unlabeled images are required; by default, if the method trains
            on them.
        tell: receives notes on what was decided on the user's behalf.

    Raises:
        UserError: for the first file or subset that is wrong.
    """
    if needs_unlabeled is None:
        needs_unlabeled = recipe.needs_unlabeled
    return opening.open_data(recipe.source(), recipe.model.in_channels, needs_unlabeled, tell)


def build_method(recipe: Recipe, num_classes: int, pretrained: bool) -> Method:
    """The method of a recipe, with random weights that follow from its seed.

    Args:
        recipe: names the method and the model.
        num_classes: K.
        pretrained: whether to load the encoder's pretrained weights, if the recipe asks for any.
            They are not needed if a checkpoint overwrites them.
    """
    # Weights must follow from the seed alone, whatever was drawn before.
    torch.manual_seed(recipe.seed)
    model = recipe.model if pretrained else _without_download(recipe.model)
    create_network = partial(create_model, model, num_classes, recipe.loader.crop)
    return recipe.method_class(create_network, recipe.method)


def _without_download(config: ModelConfig) -> ModelConfig:
    return config.model_copy(update={"pretrained": False})


def make_trainer(
    fabric: Fabric,
    recipe: Recipe,
    method: Method,
    data: Data,
    folder: Path,
    is_resumed: bool = False,
) -> Trainer:
    """The trainer of a recipe.

    Args:
        fabric: launched.
        recipe: settled.
        method: fresh, or with weights to start from.
        data: opened and checked.
        folder: the run folder.
        is_resumed: whether to continue from the last checkpoint in the folder.

    Raises:
        UserError: for a batch that cannot be divided, a sink that cannot be used, a method that
            breaks its contract, or a checkpoint that does not fit.
    """
    # Whoever recomputes activations wants to save memory, so keep none for speed then.
    if fabric.device.type == "cpu" and not recipe.model.checkpointing:
        keep_freed_memory()
    card = make_card(recipe, data)
    return Trainer(fabric, method, data, folder, recipe, card, is_resumed)


def make_card(recipe: Recipe, data: Data) -> dict[str, Any]:
    """The plain values in `best.pt` that make it usable without the recipe."""
    return {
        "method_name": recipe.method.name,
        "model": _without_download(recipe.model).model_dump(mode="json"),
        "crop": recipe.loader.crop,
        "evaluation": recipe.evaluation.model_dump(mode="json"),
        "class_names": list(data.classes.names),
        "class_colors": data.classes.colors.tolist(),
        "class_values": list(data.classes.values),
        "no_label": [data.classes.no_label, list(data.classes.no_label_color)],
        "long_side": recipe.data.long_side,
        "range": recipe.data.range,
        "labeled": recognize_dataset(data.labeled).as_dict(),
    }
