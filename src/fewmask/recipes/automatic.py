"""Automatic settings: what runs when no recipe is named."""

from collections.abc import Mapping, Sequence
from typing import Any

from fewmask.config import validate
from fewmask.engine.devices import choose_accelerator
from fewmask.engine.launch import is_started_by_others
from fewmask.engine.settings import MachineConfig
from fewmask.engine.wording import duration
from fewmask.methods import title_of
from fewmask.models.encoders.choosing import AUTO
from fewmask.models.encoders.pretrained import find_source
from fewmask.recipes.recipe import Recipe

AUTOMATIC = ("auto/cpu", "auto/gpu", "auto/dinov2")
"""The shipped recipes with automatic settings: for a CPU, for a GPU, and for a GPU with DINOv2."""
DINOV2 = "vit_small_patch14_dinov2"
"""The encoder of `auto/dinov2`, which learns at a much lower rate than others."""


def automatic_recipe(given: Mapping[str, Any]) -> str:
    """The shipped recipe with the automatic settings for this machine.

    Args:
        given: the user's own settings, which may choose the device and the encoder.

    Raises:
        UserError: if the user asks for a device that is not there.
    """
    wanted = {**given.get("machine", {}), "devices": 1}  # how many is checked at the launch
    machine = validate(MachineConfig, wanted, "machine")
    if choose_accelerator(machine) == "cpu":
        return "auto/cpu"
    return "auto/dinov2" if _takes_dinov2(given.get("model", {})) else "auto/gpu"


def _takes_dinov2(model: Mapping[str, Any]) -> bool:
    """Whether the user leaves the choice of an encoder, or makes this one, and it has weights."""
    encoder, pretrained = model.get("encoder", AUTO), model.get("pretrained", "auto")
    if encoder == DINOV2:
        return True
    # Processes that something else has started ask the hub one by one, and must agree.
    may_ask = encoder == AUTO and pretrained in ("auto", "timm") and not is_started_by_others()
    return may_ask and find_source(DINOV2, pretrained) is not None


def described(recipes: Sequence[Recipe]) -> list[str]:
    """What the automatic settings are, a line each, with the option that changes it.

    Encoder, weights, precision and the number of steps are told later, when they are chosen.

    Args:
        recipes: equal apart from method and seed.
    """
    recipe = next((recipe for recipe in recipes if recipe.needs_unlabeled), recipes[0])
    loader, training = recipe.loader, recipe.training
    batch = f"{loader.labeled_batch} labeled"
    if recipe.needs_unlabeled:
        batch += f" + {loader.unlabeled_batch} unlabeled"
    length = f"{training.steps} steps"
    if training.minutes is not None:
        length = f"the steps that fit into {duration(60 * training.minutes)}"
    rates = f"{training.lr:g} for the encoder, {training.lr * training.head_lr_factor:g} elsewhere"
    methods = dict.fromkeys(title_of(recipe.method.name) for recipe in recipes)
    lines = {
        "method": (", ".join(methods), "method=NAME" if len(methods) == 1 else "--methods"),
        "images": (f"long side {recipe.data.long_side} pixels", "data.long_side"),
        "crops": (f"{loader.crop} pixels, {batch} a step", "loader.*"),
        "learning": (f"{training.optimizer}, rate {rates}", "training.lr"),
        "length": (length, "--time or training.steps"),
    }
    return ["Automatic settings, as no recipe is named. On the right: what changes them."] + [
        f"  {name:<9} {choice:<58} {option}" for name, (choice, option) in lines.items()
    ]
