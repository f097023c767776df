"""What finished runs scored: last and best, of every network, and whether they can be compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fewmask.data.lists.published import Split, incomparable, published_lists
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig
from fewmask.run_folder.tables import read_table


class NetworkScore(NamedTuple):
    """mIoU of one network of a run, in percent."""

    last: float
    best: float
    best_step: int


@dataclass(frozen=True)
class Result:
    """What a run folder says of its run."""

    folder: Path
    data: str
    method: str
    encoder: str
    labeled: Split
    val: Split
    protocol: EvaluationConfig
    steps: int
    """Done so far."""
    planned_steps: int
    root: str
    """The data's folder, if it has one."""
    classes: tuple[str, ...]
    long_side: int | None
    """Pixels that images were brought to."""
    networks: Mapping[str, NetworkScore]
    seconds: Mapping[str, float]
    """Where the time went: data (waiting for it), steps, evaluation, saving."""
    memory_gib: float
    """At most."""


def read_result(folder: Path) -> Result:
    """Reads a run folder.

    Raises:
        UserError: if it is none, or nothing was evaluated yet.
    """
    try:
        recipe: dict[str, Any] = yaml.safe_load((folder / "recipe.yaml").read_text("utf-8"))
        facts = json.loads((folder / "splits" / "facts.json").read_text("utf-8"))
        rows, per_class = (read_table(folder / f"{name}.csv") for name in ("results", "per_class"))
        return _result(folder, recipe, facts, rows, [row["class"] for row in per_class])
    except (OSError, ValueError, KeyError, IndexError, TypeError, yaml.YAMLError) as error:
        raise UserError(
            f"{folder} is not the folder of a run with results ({type(error).__name__} {error}). "
            "Give folders such as runs/voc-imas-001, after their first evaluation."
        ) from None


def _result(
    folder: Path,
    recipe: dict[str, Any],
    facts: dict[str, Any],
    rows: list[dict[str, str]],
    classes: list[str],
) -> Result:
    networks: dict[str, NetworkScore] = {}
    for row in rows:
        miou, step = float(row["miou"]), int(row["step"])
        before = networks.get(row["network"], NetworkScore(miou, miou, step))
        best = (miou, step) if miou > before.best else (before.best, before.best_step)
        networks[row["network"]] = NetworkScore(miou, *best)
    return Result(
        folder,
        recipe["data"]["name"],
        recipe["method"]["name"],
        recipe["model"]["encoder"],
        _split(facts["labeled"]),
        _split(facts["val"]),
        EvaluationConfig(**recipe["evaluation"]),
        int(rows[-1]["step"]),
        int(recipe["training"]["steps"]),
        str(recipe["data"].get("root", "")),
        tuple(dict.fromkeys(classes)),
        recipe["data"].get("long_side"),
        networks,
        *_costs(folder / "times.csv"),
    )


def _costs(file: Path) -> tuple[dict[str, float], float]:
    """Seconds by part, and peak memory in GiB; nothing, if the run wrote none."""
    rows = read_table(file)
    parts = [part for part in rows[0] if part not in ("step", "memory_gib")] if rows else []
    seconds = {part: sum(float(row[part]) for row in rows) for part in parts}
    return seconds, max((float(row["memory_gib"]) for row in rows), default=0.0)


def _split(facts: dict[str, Any]) -> Split:
    known = tuple(p for p in published_lists() if p.sha256 == facts["sha256"])
    return Split(facts["count"], facts["sha256"], known)


def warnings(results: Sequence[Result]) -> list[str]:
    """Why rows of the table must not be compared, one sentence each."""
    rows = {str(result.folder): result.labeled for result in results}
    reasons = incomparable(rows)
    ways = {
        result.protocol.in_words()
        + (f", images at {result.long_side} pixels" if result.long_side else "")
        for result in results
    }
    for result in results:
        if result.steps < result.planned_steps:
            reasons.append(
                f"{result.folder} is unfinished: {result.steps} of {result.planned_steps} steps."
            )
    if len({(result.data, result.root, result.classes) for result in results}) > 1:
        reasons.append("The runs are on different data sets.")
    if len(ways) > 1:
        reasons.append(f"The scores were taken in different ways: {'; '.join(sorted(ways))}.")
    if len({result.val.sha256 for result in results}) > 1:
        reasons.append("The runs were scored on different validation images.")
    return reasons


def table(results: Sequence[Result]) -> str:
    """One paragraph per run: what it is, then last and best of each network."""
    lines = []
    for result in results:
        lines.append(
            f"{result.folder}: {result.method} on {result.data}, {result.encoder}, labeled "
            f"{result.labeled.name}, {result.protocol.in_words()}"
        )
        for network, score in result.networks.items():
            lines.append(
                f"    {network:12} last {score.last:5.2f}   best {score.best:5.2f} "
                f"(step {score.best_step} of {result.planned_steps})"
            )
    return "\n".join(lines)


def in_words(result: Result) -> str:
    """Last and best scores of a run, for the end of training."""
    last = ", ".join(f"{name} {score.last:.2f}" for name, score in result.networks.items())
    best = ", ".join(
        f"{name} {score.best:.2f} (step {score.best_step})"
        for name, score in result.networks.items()
    )
    return (
        f"mIoU on val, {result.protocol.in_words()}\n  after the last step: {last}\n  best, "
        f"selected on these same images: {best}"
    )
