"""The scores of a run so far: of every network, after its last evaluation and at its best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fewmask.atomic import parse_json, read_text
from fewmask.data.lists.published import ImageList, published_lists
from fewmask.errors import UserError, listed
from fewmask.evaluation import EvaluationConfig
from fewmask.run_folder.paths import RunPaths, not_a_run
from fewmask.run_folder.tables import read_table

DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
          RecursionError)  # fmt: skip
"""What is raised for a file that is damaged, or holds other things than expected."""


class NetworkScore(NamedTuple):
    """The scores of one network of a run, in percent."""

    miou: float
    """mIoU after the last step."""
    best: float
    """The highest mIoU of all evaluations."""
    best_step: int
    pixel_accuracy: float = float("nan")
    """In percent, after the last step."""
    iou: tuple[float, ...] = ()
    """IoU of each class after the last step; NaN if the class is absent."""
    evaluations: int = 1
    """How many there were: the more there are, the higher the best of them is by chance."""


@dataclass(frozen=True)
class Result:
    """Everything that a run folder records about its run."""

    folder: Path
    data: str
    method: str
    encoder: str
    labeled: ImageList
    unlabeled: int
    """Number of unlabeled images."""
    val: ImageList
    protocol: EvaluationConfig
    steps: int
    """Steps done so far."""
    planned_steps: int
    root: str
    """The folder of the data; empty if it has none."""
    classes: tuple[str, ...]
    long_side: int | None
    """Pixels of the longer side that images were resized to; None for their own size."""
    networks: Mapping[str, NetworkScore]
    seconds: Mapping[str, float]
    """Seconds by activity: data (waiting for it), steps, evaluation, saving."""
    memory_gib: float
    """Peak memory."""


def read_result(folder: Path) -> Result:
    """Reads the result of a run folder.

    Raises:
        UserError: if it is not a run folder, or nothing was evaluated yet.
    """
    paths = RunPaths(folder)
    if not paths.recipe.is_file():
        raise UserError(not_a_run(folder))
    if not paths.facts.is_file() or not read_table(paths.results):
        raise UserError(
            f"{folder} is not the folder of a run with results: the run has stopped before its "
            "first evaluation, or only a part of the folder was copied."
        )
    try:
        # Plain values, not a Recipe: results of a stranger's run are read without its code.
        recipe: dict[str, Any] = yaml.safe_load(read_text(paths.recipe))
        facts = parse_json(read_text(paths.facts))
        return _result(paths, recipe, facts)
    except (*DAMAGE, yaml.YAMLError) as error:
        raise UserError(
            f"{folder} is not the folder of a run with results ({type(error).__name__} {error}). "
            "A file in it is damaged. Restore it, or train again."
        ) from None


def _result(paths: RunPaths, recipe: dict[str, Any], facts: dict[str, Any]) -> Result:
    rows = read_table(paths.results, "network", "miou", "pixel_accuracy")
    per_class = read_table(paths.per_class, "network", "class", "iou")
    seconds, memory_gib = _costs(paths.times)
    return Result(
        folder=paths.folder,
        data=_name(recipe["data"]["name"]),
        method=_name(recipe["method"]["name"]),
        encoder=_name(recipe["model"]["encoder"]),
        labeled=_split(facts["labeled"]),
        unlabeled=int(facts["unlabeled"]["count"]),
        val=_split(facts["val"]),
        protocol=EvaluationConfig(**recipe["evaluation"]),
        steps=int(rows[-1]["step"]),
        planned_steps=int(recipe["training"]["steps"]),
        root=_name(recipe["data"].get("root") or ""),
        classes=tuple(dict.fromkeys(row["class"] for row in per_class)),
        long_side=recipe["data"].get("long_side"),
        networks=_networks(rows, per_class),
        seconds=seconds,
        memory_gib=memory_gib,
    )


def _name(value: Any) -> str:
    """A text, as it is: what else a file may hold could be longer than the memory."""
    if not isinstance(value, str):
        raise TypeError(f"expected a name, got a {type(value).__name__}")
    return value


def _networks(
    rows: list[dict[str, str]], per_class: list[dict[str, str]]
) -> dict[str, NetworkScore]:
    """Last and best scores of each network, the main network first."""
    found: dict[str, NetworkScore] = {}
    for row in rows:
        name, miou, step = row["network"], float(row["miou"]), int(row["step"])
        # The first row of a network is its best so far.
        before = found.get(name, NetworkScore(miou, miou, step))
        best = (miou, step) if miou > before.best else (before.best, before.best_step)
        count = before.evaluations + (name in found)
        accuracy = float(row["pixel_accuracy"])
        found[name] = NetworkScore(miou, *best, accuracy, evaluations=count)
    last = rows[-1]["step"]
    for name, score in found.items():
        mine = [r for r in per_class if r["network"] == name and r["step"] == last]
        found[name] = score._replace(iou=tuple(float(row["iou"]) for row in mine))
    return found


def _costs(file: Path) -> tuple[dict[str, float], float]:
    """Seconds by activity, and peak memory in GiB; empty and 0 if the run recorded none."""
    rows = read_table(file)
    activities = [name for name in rows[0] if name not in ("step", "memory_gib")] if rows else []
    seconds = {name: sum(float(row[name]) for row in rows) for name in activities}
    return seconds, max((float(row["memory_gib"]) for row in rows), default=0.0)


def _split(facts: dict[str, Any]) -> ImageList:
    known = tuple(p for p in published_lists() if p.sha256 == facts["sha256"])
    return ImageList(facts["count"], facts["sha256"], known)


def in_words(result: Result) -> str:
    """Last and best scores of a run, for the end of training."""
    last = ", ".join(f"{name} {score.miou:.2f}" for name, score in result.networks.items())
    best = ", ".join(
        f"{name} {score.best:.2f} (step {score.best_step})"
        for name, score in result.networks.items()
    )
    return (
        f"mIoU on val{_over(result)}, {result.protocol.in_words()}\n  after the last step: {last}\n"
        f"  best, selected on these same images: {best}"
    )


def _over(result: Result) -> str:
    """Over which classes a mean is, if val does not show all of them."""
    iou = next(iter(result.networks.values())).iou
    scored = [name for name, one in zip(result.classes, iou, strict=False) if not math.isnan(one)]
    missing = [name for name in result.classes if name not in scored]
    if not missing or not scored:
        return ""
    return f" over {len(scored)} of {len(result.classes)} classes (not in val: {listed(missing)})"
