"""The verdict of a comparison in words: did the unlabeled images help?

It says no more than its runs can show. One seed tells nothing of other seeds, and runs that end
while their scores rise tell nothing of longer ones.
"""

from collections.abc import Sequence
from statistics import mean
from typing import NamedTuple

import numpy as np

from fewmask.errors import listed
from fewmask.evaluation.bootstrap import Interval
from fewmask.report.comparison import BASELINE, Comparison, Curve, Row

FEW_IMAGES = 10
"""Fewer validation images than this allow no verdict."""
FEW_STEPS = 200
"""Runs of fewer steps than this are too short for a verdict."""
RISE = 1.0
"""Points of mIoU in the last quarter of a run, above which its score was still rising."""
HURT = 1.0
"""The verdict names classes that lose more IoU than this, in percentage points."""


class Words(NamedTuple):
    """What is said of a difference in mIoU."""

    fact: str
    """What happened in these runs."""
    finding: str
    """What follows from them, if they were long enough and had several seeds."""
    advice: str = ""


HIGHER = Words("scored higher", "helped")
LOWER = Words(
    "scored lower",
    "made the result worse",
    " Train longer, or without the unlabeled images.",
)
UNCLEAR = Words(
    "made no difference that these validation images can show",
    "made no difference that these validation images and seeds can show",
    " Try longer runs, more seeds, or more validation images.",
)
ONE_SEED = " One seed: another seed may reverse it; use --seeds 3."


def verdict(comparison: Comparison) -> list[str]:
    """One sentence per method: did the unlabeled images help, and which classes did they hurt?"""
    baseline = comparison.row(BASELINE)
    if baseline is None:
        return [f"There is no baseline to compare with. Add one: --methods {BASELINE},..."]
    gains = [(row, comparison.difference(row)) for row in comparison.rows]
    images, names = len(comparison.data.val), comparison.data.classes.names
    return [_judge(row, baseline, gain, images, names) for row, gain in gains if gain is not None]


def _judge(row: Row, baseline: Row, gain: Interval, images: int, names: Sequence[str]) -> str:
    """Whether one method helped, as far as its runs can tell."""
    one_seed = min(len(row.scores), len(baseline.scores)) == 1
    over = "images" if one_seed else "images and seeds"
    size = f"{gain.value:+.1f} mIoU (95 %: {gain.low:+.1f} to {gain.high:+.1f}, over {over})"
    if images < FEW_IMAGES:
        doubt = (
            f" {images} validation image(s) are too few for a verdict; use {FEW_IMAGES} or more."
        )
        return f"{row.title}: {size}.{doubt}{_lower(row, baseline, names, doubt)}"
    words, behind = _words(row, baseline, gain)
    doubt = (ONE_SEED if one_seed else "") + _too_short(behind)
    said = words.fact if doubt else words.finding
    lower = _lower(row, baseline, names, doubt)
    return f"{row.title} {said}: {size}.{doubt or words.advice}{lower}"


def _words(row: Row, baseline: Row, gain: Interval) -> tuple[Words, list[Row]]:
    """What to say of a difference, and who is not ahead and might catch up in longer runs."""
    if gain.low > 0:
        return HIGHER, [baseline]
    if gain.high < 0:
        return LOWER, [row]
    return UNCLEAR, [row, baseline]


def _too_short(rows: Sequence[Row]) -> str:
    """A sentence on runs that were too short to tell how longer ones end, or nothing."""
    steps = min((curve[-1][0] for row in rows for curve in row.curves), default=FEW_STEPS)
    rising = [row.title for row in rows if _is_rising(row.curves)]
    if steps < FEW_STEPS:
        reason = f"the runs took {steps} steps only"
    elif rising:
        reason = f"the score of {' and '.join(rising)} was still rising at the end"
    else:
        return ""
    return f" Too short to tell: {reason}. Train longer (training.steps)."


def _is_rising(curves: Sequence[Curve]) -> bool:
    """Whether the last mean score is the best one, and clearly above that at 3/4 of the run."""
    of_seed = [dict(curve) for curve in curves]
    steps = sorted(set.intersection(*map(set, of_seed))) if of_seed else []
    scores = [mean(curve[step] for curve in of_seed) for step in steps]
    before = [score for step, score in zip(steps, scores, strict=True) if step <= 0.75 * steps[-1]]
    return bool(before) and scores[-1] == max(scores) and scores[-1] - before[-1] > RISE


def _lower(row: Row, baseline: Row, names: Sequence[str], doubt: str) -> str:
    """The classes whose IoU got worse, if any."""
    change = np.asarray(row.iou - baseline.iou)
    lower = [f"{n} {x:+.1f}" for n, x in zip(names, change, strict=True) if x < -HURT]
    where = "Lower in these runs" if doubt else "Worse"
    return f" {where}: {listed(lower)}." if lower else ""
