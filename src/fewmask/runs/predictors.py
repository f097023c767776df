"""Loads trained networks from a run folder, or from one file: best.pt, .safetensors, .onnx."""

from pathlib import Path

from torch import nn

from fewmask.config import trust, validate
from fewmask.engine.devices import choose_accelerator
from fewmask.engine.settings import MachineConfig
from fewmask.errors import UserError, did_you_mean
from fewmask.evaluation import EvaluationConfig
from fewmask.evaluation.export.onnx_network import OnnxNetwork
from fewmask.evaluation.facts import read_facts
from fewmask.evaluation.predictor import Predictor
from fewmask.models import ModelConfig, create_model
from fewmask.recipes import Recipe
from fewmask.run_folder import checkpoint, weights_file
from fewmask.run_folder.paths import RunPaths
from fewmask.runs.build import build_method

CARD = ("weights", "model", "class_names", "class_colors", "evaluation", "long_side")
"""Keys that a best.pt must have."""


def best_predictor(file: Path, accelerator: str) -> Predictor:
    """The network in a `best.pt` file, or in its .safetensors export. No other file is needed.

    Raises:
        UserError: if the file cannot be read, or there is no such device.
    """
    load = weights_file.load if file.suffix == weights_file.SUFFIX else checkpoint.load
    card = load(file, *CARD)
    facts = read_facts(card, file)
    trust.require_trusted_checkpoint(facts.model, file, RunPaths(file.parent.parent).recipe)
    # The weights are here: a stranger's file must not name others to be read or downloaded.
    config = validate(ModelConfig, {**facts.model, "pretrained": False}, "model")
    # Files of version 0.1 do not know the crop, and predict as they did.
    network: nn.Module = create_model(config, len(facts.class_names), facts.crop)
    checkpoint.fill(network, card["weights"], file)
    inference = validate(EvaluationConfig, facts.evaluation, "evaluation")
    device = _device(accelerator)
    return Predictor(
        network,
        facts.classes,
        inference,
        facts.long_side,
        device,
        config.in_channels,
        facts.range,
    )


def onnx_predictor(file: Path, accelerator: str) -> Predictor:
    """The network in an ONNX file of `fewmask export`, run by onnxruntime.

    Raises:
        UserError: if onnxruntime is missing, the file cannot be read, or there is no such device.
    """
    network = OnnxNetwork(file, accelerator)
    card, facts = network.card, read_facts(network.card, file)
    inference = validate(EvaluationConfig, facts.evaluation, "evaluation")
    # onnxruntime takes images from the CPU and copies them to its device by itself.
    return Predictor(
        network,
        facts.classes,
        inference,
        facts.long_side,
        "cpu",
        card["in_channels"],
        facts.range,
    )


def predictor_of(paths: RunPaths, recipe: Recipe, name: str, accelerator: str) -> Predictor:
    """A network of a run's last checkpoint, by name.

    Raises:
        UserError: if there is no such network.
    """
    facts = read_facts(checkpoint.load(paths.best, *CARD), paths.best)
    method = build_method(recipe, len(facts.class_names), pretrained=False)
    state = checkpoint.load(paths.last, "method")
    checkpoint.fill(method, state["method"], paths.last)
    networks = method.predictors()
    if name not in networks:
        raise UserError(
            f"There is no network '{name}' in {paths.folder}. "
            f"{did_you_mean(name, ['best', *networks])}"
        )
    return Predictor(
        networks[name],
        facts.classes,
        recipe.evaluation,
        recipe.data.long_side,
        _device(accelerator),
        recipe.model.in_channels,
        # As trained: the recipe may have been changed to other data.
        facts.range,
    )


def _device(accelerator: str) -> str:
    return choose_accelerator(validate(MachineConfig, {"accelerator": accelerator}, "machine"))
