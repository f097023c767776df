"""The tables of docs/reproduce.md: published scores with their commands, steps and hours."""

from collections.abc import Callable
from functools import partial

from benchmarks.headlines import Results, markdown
from fewmask.config import find
from fewmask.data import SOURCES
from fewmask.data.lists.published import find_published
from fewmask.recipes import Recipe, load_recipe, shipped

TIMED = "steps-crop-513-batch-8-steps-10.intel-r-xeon-r-processor-16-threads-nvidia-h200.json"
"""The steps that were timed on a GPU, in the precision that is fastest there."""


def table(name: str, results: Results) -> str:
    """The published scores of a recipe.

    Args:
        name: of the recipe.
        results: hold the time of a step of some methods.
    """
    rows = []
    for score in shipped.published_scores(name):
        recipe = load_recipe(name, {"data": {"root": "x"}, "model": {"encoder": score.encoder}})
        count = steps(recipe, find_published(score.labeled).count)
        stride = shipped.stride_of(name, score)
        time = hours(recipe, count, stride, results)
        command = f"`{shipped.training_command(name, score)}`"
        rows.append([f"{score.miou:.2f}", score.source, f"{count:,}", time, command])
    lines = markdown(["mIoU", "source", "steps", "hours", "command"], rows).split("\n")
    return "\n".join([lines[0], "| ---: | --- | ---: | ---: | --- |", *lines[2:]])


def steps(recipe: Recipe, labeled: int) -> int:
    """The steps of a run on the whole data set, with a number of labeled images."""
    if recipe.training.epochs is None:
        return recipe.training.steps
    images, batch = labeled, recipe.loader.labeled_batch
    if recipe.needs_unlabeled:
        # All recipes with epochs train on the other images.
        images = find(recipe.data.name, SOURCES, "data").TRAIN_IMAGES - labeled
        batch = recipe.loader.unlabeled_batch
    return recipe.training.epochs * (images // batch)


def hours(recipe: Recipe, count: int, stride: int, results: Results) -> str:
    """How long so many steps take on the timed GPU; empty if such steps were not timed."""
    timed = results[TIMED]
    network = recipe.model.encoder, recipe.loader.crop, stride
    methods = {figure.subject for figure in timed.figures}
    if network != (timed.settings["encoder"], timed.settings["crop"], 16):
        return ""
    if recipe.method.name not in methods:
        return ""
    batches = recipe.loader.labeled_batch / timed.settings["batch"]
    return f"{count * batches * timed.value(recipe.method.name, 'step') / 3_600_000:.1f}"


TABLES: dict[str, Callable[[Results], str]] = {
    f"published:{name}": partial(table, name)
    for name in shipped.recipe_names()
    if shipped.published_scores(name)
}
"""By the name that a page gives to its region."""
