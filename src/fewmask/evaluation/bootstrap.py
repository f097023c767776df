"""Whether a difference in mIoU is larger than validation images and seeds can explain.

Paired bootstrap over images: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 16.
"""

from typing import NamedTuple

import numpy as np

DRAWS = 2000
REPEATS = 50
"""Draws of seeds for each draw of images."""


class Interval(NamedTuple):
    """A value with its 95 % interval, in percentage points."""

    value: float
    low: float
    high: float


def paired_difference(ours: np.ndarray, theirs: np.ndarray, draws: int = DRAWS) -> Interval:
    """MIoU of ours minus theirs, with its interval over validation images and seeds.

    Each draw takes the same images, with replacement, for all seeds of both. The mean is over the
    classes in the ground truth of a draw, so that both are averaged over the same classes. With one
    seed each, the interval covers only the choice of images.

    With more seeds, each draw is also moved by what other seeds may change: the standard error of
    the difference between two means with a common variance, times a draw of Student's t (Student,
    The probable error of a mean, 1908). Drawing two or three seeds with replacement instead would
    make the interval too narrow (Davison and Hinkley, Bootstrap Methods and Their Application,
    1997, section 3.8).

    Args:
        ours: intersections, unions and true pixels, [seeds, 3, images, K].
        theirs: the same for the other method, on the same images; the number of seeds may differ.
        draws: number of bootstrap samples.
    """
    assert ours.shape[1:] == theirs.shape[1:], (ours.shape, theirs.shape)
    images = ours.shape[2]
    rng = np.random.default_rng(0)
    counts = rng.multinomial(images, np.full(images, 1 / images), size=draws)  # [D, N]
    drawn = _mean_iou(ours, counts).mean(axis=0) - _mean_iou(theirs, counts).mean(axis=0)
    whole = np.ones((1, images), np.int64)
    scores = _mean_iou(ours, whole)[:, 0], _mean_iou(theirs, whole)[:, 0]
    value = scores[0].mean() - scores[1].mean()
    low, high = np.percentile(_moved_by_seeds(drawn, *scores, rng), [2.5, 97.5])
    return Interval(float(value), float(low), float(high))


def _moved_by_seeds(
    drawn: np.ndarray, ours: np.ndarray, theirs: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Differences, each drawn several times and moved by what other seeds may change.

    Args:
        drawn: differences of means over these seeds, [D].
        ours: mIoU of each seed.
        theirs: mIoU of each of the other method's seeds.
        rng: what to draw from.
    """
    freedom = len(ours) + len(theirs) - 2
    if freedom == 0:
        return drawn
    squares = sum(((scores - scores.mean()) ** 2).sum() for scores in (ours, theirs))
    error = np.sqrt(squares / freedom * (1 / len(ours) + 1 / len(theirs)))
    # The tails of t are long, and few draws would leave the ends of the interval to chance.
    moves = rng.standard_t(freedom, size=(REPEATS, len(drawn)))
    return np.asarray(drawn + error * moves).ravel()


def _mean_iou(pixels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """MIoU in percent of each seed and draw, [S, D]."""
    per_seed = []
    for intersections, unions, truths in pixels:
        intersection, union, truth = counts @ intersections, counts @ unions, counts @ truths
        iou = np.where(truth > 0, intersection / np.maximum(union, 1), np.nan)  # [D, K]
        per_seed.append(100 * np.nanmean(iou, axis=1))
    return np.stack(per_seed)
