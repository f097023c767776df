"""Settles `training.precision: auto` on a CPU: the faster one for this network on this machine."""

import os
from collections.abc import Callable

import torch
from torch import nn

from fewmask.engine.devices import choose_accelerator, choose_precision
from fewmask.engine.launch import is_started_by_others
from fewmask.engine.precision_timing import Workload, time_precisions
from fewmask.errors import UserError
from fewmask.recipes import Recipe
from fewmask.runs.build import build_method


def settle_precision(recipe: Recipe, num_classes: int, tell: Callable[[str], None]) -> Recipe:
    """The recipe with fp32 or bf16 in place of `auto`, if the run is on a CPU.

    A resumed run must not choose again, so the choice is part of its recipe. On GPUs `auto` stays,
    as it follows from the hardware alone.

    Args:
        recipe: settled otherwise.
        num_classes: K.
        tell: receives a sentence if there was a choice.

    Raises:
        UserError: if the machine has no such devices.
    """
    if recipe.training.precision != "auto" or choose_accelerator(recipe.machine) != "cpu":
        return recipe
    precision = choose_precision("auto", "cpu")
    # Where bf16 is not fast, there is nothing to compare. Processes that something else has started
    # could come to different results, and cannot talk to each other yet.
    if precision == "bf16" and not is_started_by_others():
        precision = _faster(recipe, num_classes, tell)
    training = recipe.training.model_copy(update={"precision": precision})
    return recipe.model_copy(update={"training": training})


def _faster(recipe: Recipe, num_classes: int, tell: Callable[[str], None]) -> str:
    """The precision in which the network of a recipe takes less time."""

    def build() -> nn.Module:
        return build_method(recipe, num_classes, pretrained=False).student

    workload = _workload(recipe, num_classes)
    if not workload.is_known():
        tell("Timing a few steps in bf16 and in fp32, to take the faster one ...")
    try:
        timing, is_new = time_precisions(workload, build)
    except UserError:
        raise
    except Exception:  # of a user's own network: training says what is wrong with it
        return choose_precision("auto", "cpu")
    when = "measured on this machine" if is_new else "measured earlier on this machine"
    tell(f"Precision {timing.in_words()}, {when}. To choose: training.precision=fp32 or bf16.")
    return timing.faster


def _workload(recipe: Recipe, num_classes: int) -> Workload:
    """Labeled images only: all methods of a comparison train on them, and so agree."""
    devices, loader = recipe.machine.devices, recipe.loader
    images = loader.labeled_batch // (devices * (recipe.training.accumulate or 1))
    shape = (images, recipe.model.in_channels, loader.crop, loader.crop)
    # As `launch` shares the cores among the processes of a run.
    shared = max(1, (os.cpu_count() or 1) // devices)
    threads = torch.get_num_threads() if devices == 1 else shared
    network = f"{recipe.model.model_dump_json(exclude={'pretrained'})}, {num_classes} classes"
    return Workload.of(network, shape, threads)
