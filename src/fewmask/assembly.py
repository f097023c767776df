"""From a recipe to the things it describes: data, method, trainer."""

from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from fewmask.config import find
from fewmask.data import Data
from fewmask.data.check import check_data
from fewmask.data.image_labels import read_image_labels
from fewmask.engine import checkpoint
from fewmask.engine.trainer import Trainer
from fewmask.errors import UserError
from fewmask.methods import METHODS, Method
from fewmask.models import ModelConfig, create_model
from fewmask.recipe import Recipe


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
    data = recipe.source().open()
    if recipe.data.image_labels is not None:
        present = read_image_labels(recipe.data.image_labels, data.unlabeled.names, data.classes)
        data = replace(data, image_labels=present)
    if needs_unlabeled is None:
        needs_unlabeled = find(recipe.method.name, METHODS, "method").views is not None
    check_data(data, needs_unlabeled, print if tell else lambda note: None)
    return data


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
    student = create_model(model, num_classes)
    method: Method = find(recipe.method.name, METHODS, "method")(student, recipe.method)
    return method


def without_download(config: ModelConfig) -> ModelConfig:
    """The model without pretrained weights, for when a checkpoint overwrites them anyway."""
    return config.model_copy(update={"pretrained": False})


def start_from(method: Method, file: Path) -> None:
    """Loads weights of another run: a method's from `last.pt`, every network's from `best.pt`."""
    state = checkpoint.load(file)
    try:
        if "method" in state:
            method.load_state_dict(state["method"])
        else:
            for network in method.predictors().values():
                network.load_state_dict(state["weights"])
    except RuntimeError as error:
        raise UserError(
            f"The weights in {file} do not fit this recipe: {str(error)[:300]}"
        ) from None


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
        "class_colours": data.classes.colours.tolist(),
        "long_side": recipe.data.long_side,
    }
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
