"""A trained network from a run folder or a checkpoint, ready to use."""

from pathlib import Path
from typing import Any

from torch import nn

from fewmask.batch import IGNORE
from fewmask.config import did_you_mean, validate
from fewmask.data import Classes
from fewmask.engine.launch import choose_accelerator
from fewmask.engine.settings import MachineConfig
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig
from fewmask.evaluation.predictor import Predictor
from fewmask.models import ModelConfig, create_model
from fewmask.recipes.recipe import load_recipe
from fewmask.run_folder import checkpoint
from fewmask.runs.building import build_method
from fewmask.runs.files import recipe_file, weights_file

CARD = ("weights", "model", "class_names", "class_colors", "evaluation", "long_side")
"""What must be in a best.pt."""


def load(run: Path | str, weights: str = "best", accelerator: str = "auto") -> Predictor:
    """Loads a trained model for prediction.

    Args:
        run: a run folder, or a `best.pt` file (which needs nothing else).
        weights: `best`, or the name of a network in the last checkpoint: `student`, `teacher` ...
        accelerator: auto, cpu, cuda or mps.

    Raises:
        UserError: if there is no such run or network.

    Example:
        prediction = fewmask.load("runs/photos-imas-001").predict(image)
    """
    run = Path(run)
    device = choose_accelerator(validate(MachineConfig, {"accelerator": accelerator}, "machine"))
    if run.is_file() or weights == "best":
        file = run if run.is_file() else weights_file(run, "best")
        if weights != "best":
            raise UserError(
                f"{file} holds one network. For '{weights}' give the run folder, without it leave "
                "--weights out."
            )
        state = checkpoint.load(file, *CARD)
        config = validate(ModelConfig, state["model"], "model")
        network: nn.Module = create_model(config, len(state["class_names"]))
        checkpoint.fill(network, state["weights"], file)
        classes = _classes(state)
        inference = validate(EvaluationConfig, state["evaluation"], "evaluation")
        long_side = state["long_side"]
        return Predictor(network, classes, inference, long_side, device, config.in_channels)
    recipe = load_recipe(recipe_file(run))
    card = checkpoint.load(weights_file(run, "best"), *CARD)
    classes = _classes(card)
    method = build_method(recipe, len(classes), pretrained=False)
    last = weights_file(run, "last")
    checkpoint.fill(method, checkpoint.load(last, "method")["method"], last)
    networks = method.predictors()
    if weights not in networks:
        raise UserError(
            f"There is no network '{weights}' in {run}. "
            f"{did_you_mean(weights, ['best', *networks])}"
        )
    return Predictor(
        networks[weights],
        classes,
        recipe.evaluation,
        recipe.data.long_side,
        device,
        recipe.model.in_channels,
    )


def _classes(card: dict[str, Any]) -> Classes:
    no_label, color = card.get("no_label", (IGNORE, (255, 255, 255)))
    names, colors, values = card["class_names"], card["class_colors"], card.get("class_values")
    return Classes(names, colors, values, no_label, color)
