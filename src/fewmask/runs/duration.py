"""Fits the number of steps to `training.minutes`, by a few steps that are timed first."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lightning_fabric import Fabric

from fewmask.config import validate
from fewmask.data import Data
from fewmask.engine.cost import Cost
from fewmask.engine.launch import is_first, is_started_by_others, launch
from fewmask.engine.settings import TrainingConfig
from fewmask.engine.wording import duration
from fewmask.recipes import Recipe
from fewmask.runs.build import build_method, make_trainer
from fewmask.runs.initial_weights import InitialWeights

MOST_EVALUATIONS = 10
"""Evaluations of a run whose length is given as a time, if they are cheap."""
EVALUATION_SHARE = 0.2
"""The share of the time that they take at most, unless even the fewest take longer."""
FIRST_SECONDS = 300
"""Seconds until the first evaluation, unless so many would take more than half of the time."""
MOST_STEPS = 20_000
"""Longer runs were not found to be better with few labels."""


def settle_duration(recipe: Recipe, data: Data, tell: Callable[[str], None]) -> Recipe:
    """The recipe with a number of steps in place of `training.minutes`.

    A resumed run must not choose again, so the choice is part of its recipe.

    Args:
        recipe: settled otherwise.
        data: of the recipe, opened.
        tell: receives a sentence on the choice.
    """
    minutes = recipe.training.minutes
    if minutes is None:
        return recipe
    if is_started_by_others():
        return _with_its_steps(recipe, tell)
    tell(f"Timing a few steps, to see how many fit into {duration(60 * minutes)} ...")
    cost = measure_cost(recipe, data)
    length = longest_within(60 * minutes, cost)
    tell(f"{_in_words(length, cost, 60 * minutes)} Another length: --time 1h, or training.steps=N.")
    return with_length(recipe, length)


def _in_words(length: "Length", cost: Cost, wish: float) -> str:
    evaluations = math.ceil(length.steps / length.evaluate_every)
    seconds = length.steps * cost.step + evaluations * cost.evaluation
    about = duration(wish) if seconds < 1.1 * wish else duration(seconds)
    longer = f", longer than the {duration(wish)} asked for" if seconds >= 1.1 * wish else ""
    return (
        f"{length.steps} steps of {cost.step:.2f} s and {evaluations} evaluation(s) of "
        f"{cost.evaluation:.0f} s take about {about}{longer}."
    )


def _with_its_steps(recipe: Recipe, tell: Callable[[str], None]) -> Recipe:
    """The recipe without a duration, for processes that could time steps differently."""
    training = recipe.training
    if is_first():
        tell(
            f"training.minutes={training.minutes:g} is not used under torchrun or SLURM, where "
            f"steps are not timed. The run has {training.steps} steps; to choose: "
            "training.steps=N."
        )
    return with_length(recipe, Length(training.steps, training.evaluation_interval()))


class Length(NamedTuple):
    """What fits into a time."""

    steps: int
    evaluate_every: int


def longest_within(seconds: float, cost: Cost) -> Length:
    """How many steps and evaluations fit into a time; at least one of each.

    Args:
        seconds: that the run is to take.
        cost: of a step and an evaluation.
    """
    affordable = int(EVALUATION_SHARE * seconds / max(cost.evaluation, 1e-6))
    # However slow an evaluation is, half of the time is for training.
    bearable = int(seconds / 2 / max(cost.evaluation, 1e-6))
    fewest = min(math.ceil(seconds / FIRST_SECONDS), bearable)
    evaluations = max(1, min(max(affordable, fewest), MOST_EVALUATIONS))
    left = max(seconds - evaluations * cost.evaluation, seconds / 2)
    steps = max(1, min(int(left / cost.step), MOST_STEPS))
    rounded = steps // 100 * 100 if steps >= 1000 else steps // 10 * 10
    steps = rounded or steps
    return Length(steps, math.ceil(steps / evaluations))


def with_length(recipe: Recipe, length: Length) -> Recipe:
    """The recipe with a number of steps, and evaluations as often as they fit."""
    training = recipe.training.model_dump() | {"minutes": None, "steps": length.steps}
    if training["evaluate_every"] is None:
        training["evaluate_every"] = length.evaluate_every
    settled = validate(TrainingConfig, training, "training")
    return recipe.model_copy(update={"training": settled})


def measure_cost(recipe: Recipe, data: Data, weights: InitialWeights | None = None) -> Cost:
    """Builds everything and takes a few steps of a run, without writing anything.

    Args:
        recipe: settled, apart from the number of steps.
        data: of the recipe, opened.
        weights: to start from, if any.
    """
    # One process is enough: time and memory are measured per device.
    machine = recipe.machine.model_copy(update={"devices": 1})
    cost: Cost = launch(machine, recipe.training.precision, _rehearse, recipe, data, weights)
    return cost


def _rehearse(fabric: Fabric, recipe: Recipe, data: Data, weights: InitialWeights | None) -> Cost:
    method = build_method(recipe, len(data.classes), pretrained=True)
    if weights is not None:
        weights.fill(method)
    return make_trainer(fabric, recipe, method, data, Path()).rehearse()
