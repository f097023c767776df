"""Scores a trained run on its validation images, or on others."""

from functools import partial
from typing import NamedTuple

import torch
from lightning_fabric import Fabric

from fewmask.data import Classes
from fewmask.engine.launch import launch
from fewmask.engine.screen import Screen
from fewmask.errors import UserError
from fewmask.evaluation import Scores
from fewmask.evaluation import evaluate as evaluate_network
from fewmask.evaluation.evaluator import Track
from fewmask.evaluation.examination import Examination
from fewmask.evaluation.examination import examine as examine_network
from fewmask.runs.run import Run

SHOWN = "evaluating image"
"""The words before the number of images that are done."""


class Evaluated(NamedTuple):
    """The result of `evaluate`."""

    classes: Classes
    scores: Scores


def evaluate(run: Run, weights: str = "best") -> Evaluated:
    """Scores a network of a run, on as many devices as the recipe asks for.

    Args:
        run: opened with the changes to `evaluation`, `data` and `machine` that you want.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...

    Returns:
        The classes, and the scores.

    Raises:
        UserError: if the data does not have the classes that the run was trained on.
    """
    recipe = run.recipe
    # Opened here, before processes start, so that the files are checked only once.
    _ = run.val
    scores = launch(recipe.machine, recipe.training.precision, _evaluate_process, run, weights)
    return Evaluated(run.data.classes, scores)


def examine(run: Run, weights: str = "best") -> tuple[Classes, Examination]:
    """Like `evaluate`, on one device, with boundary IoU, calibration and the mIoU of each image."""
    predictor = run.network(weights)
    require_same_classes(run, predictor.classes)
    with Screen() as screen:
        found = examine_network(
            predictor.network,
            run.val,
            len(run.data.classes),
            run.recipe.evaluation,
            predictor.device,
            partial(screen.track, SHOWN),
        )
    return run.data.classes, found


def _evaluate_process(fabric: Fabric, run: Run, weights: str) -> Scores:
    predictor = run.network(weights)
    require_same_classes(run, predictor.classes)
    # Convolutions are faster in this memory order, which training uses too.
    network = predictor.network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    classes, config = len(run.data.classes), run.recipe.evaluation
    with fabric.autocast(), Screen() as screen:
        # Processes share the images equally, so the first one knows how far all of them are.
        track: Track = partial(screen.track, SHOWN) if fabric.global_rank == 0 else iter
        return evaluate_network(network, run.val, classes, config, fabric.device, track)


def require_same_classes(run: Run, classes: Classes) -> None:
    """Makes sure that a run's data has the classes of its network.

    Raises:
        UserError: if not.
    """
    if classes.names != run.data.classes.names:
        raise UserError(
            f"{run.folder} was trained on the classes {list(classes.names)}, but the data has "
            f"{list(run.data.classes.names)}. Evaluate it on data with the same classes."
        )
