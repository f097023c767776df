"""Takes a few steps of a run without writing anything: does it work, and what would it cost?"""

from collections.abc import Callable
from typing import NamedTuple

from fewmask.engine.cost import Cost
from fewmask.recipes import Recipe
from fewmask.runs.duration import measure_cost
from fewmask.runs.initial_weights import InitialWeights
from fewmask.tasks.train import open_and_settle, starting_from


class Rehearsal(NamedTuple):
    """What a run would cost."""

    recipe: Recipe
    cost: Cost


def rehearse(
    recipe: Recipe, weights: InitialWeights | None = None, tell: Callable[[str], None] = print
) -> Rehearsal:
    """Builds everything and takes a few steps without writing anything."""
    if weights is not None:
        recipe = starting_from(recipe, weights)
    recipe, data = open_and_settle(recipe, None, tell)
    if weights is not None:
        tell(weights.in_words(data.classes.names))
    return Rehearsal(recipe, measure_cost(recipe, data, weights))
