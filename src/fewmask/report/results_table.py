"""Describes finished runs and lists their scores."""

from collections.abc import Sequence
from pathlib import Path

from fewmask.methods import title_of
from fewmask.run_folder.result import Result


def table(results: Sequence[Result]) -> str:
    """One paragraph per run: its settings, then last and best scores of each network."""
    lines = []
    for result in results:
        lines.append(f"{result.folder}: {described(result)}")
        for network, score in result.networks.items():
            lines.append(
                f"    {network:12} last {score.miou:5.2f}   best {score.best:5.2f} "
                f"(step {score.best_step} of {result.planned_steps}; the highest of "
                f"{score.evaluations} evaluation{'s' * (score.evaluations > 1)})"
            )
    return "\n".join(lines)


def described(result: Result) -> str:
    """One phrase on a run: method, data, images, encoder, and how it was scored.

    Example:
        iMAS on photos/ (12 labeled, 27 unlabeled, 21 validation images), resnet50; scored on whole
        images
    """
    data = f"{Path(result.root).name}/" if result.data == "folder" else result.data
    published = f" from {result.labeled.name}" if result.labeled.published else ""
    return (
        f"{title_of(result.method)} on {data} ({result.labeled.count} labeled{published}, "
        f"{result.unlabeled} unlabeled, {result.val.count} validation images), {result.encoder}; "
        f"scored on {result.protocol.in_words()}"
    )
