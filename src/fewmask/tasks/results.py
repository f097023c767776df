"""Lists the scores of finished runs."""

from collections.abc import Sequence

from fewmask.run_folder.result import Result


def table(results: Sequence[Result]) -> str:
    """One paragraph per run: its settings, then last and best scores of each network."""
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
