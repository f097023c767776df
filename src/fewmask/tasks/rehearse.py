"""Takes a few steps of a run without writing anything: does it work, and what would it cost?"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lightning_fabric import Fabric

from fewmask.data import Data
from fewmask.engine.launch import launch
from fewmask.recipes import Recipe
from fewmask.runs.build import build_method, make_trainer, start_from
from fewmask.tasks.train import open_and_settle, starting_from


class Rehearsal(NamedTuple):
    """What a run would cost."""

    recipe: Recipe
    seconds_per_step: float
    peak_memory_gib: float


def rehearse(
    recipe: Recipe, weights: Path | None = None, tell: Callable[[str], None] = print
) -> Rehearsal:
    """Builds everything and takes a few steps without writing anything."""
    if weights is not None:
        recipe = starting_from(recipe, weights)
    recipe, data = open_and_settle(recipe, None, tell)
    # One process is enough: time and memory are measured per device.
    machine = recipe.machine.model_copy(update={"devices": 1})
    took = launch(machine, recipe.training.precision, _rehearse_process, recipe, data, weights)
    return Rehearsal(recipe, *took)


def _rehearse_process(
    fabric: Fabric, recipe: Recipe, data: Data, weights: Path | None
) -> tuple[float, float]:
    method = build_method(recipe, len(data.classes), pretrained=True)
    if weights is not None:
        start_from(method, weights)
    return make_trainer(fabric, recipe, method, data, Path()).rehearse()
