"""Decides which runs can be compared with each other, and says why others cannot."""

from collections.abc import Sequence

from fewmask.data.lists.published import incomparable
from fewmask.run_folder.result import Result


def warnings(results: Sequence[Result]) -> list[str]:
    """The reasons why results cannot be compared, one sentence each; empty if they can."""
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
        reasons.append(f"The runs were scored in different ways: {'; '.join(sorted(ways))}.")
    if len({result.val.sha256 for result in results}) > 1:
        reasons.append("The runs were scored on different validation images.")
    return reasons
