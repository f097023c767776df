"""Whether a difference in mIoU is larger than the choice of validation images can explain.

Paired bootstrap over images: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 16.
"""

from typing import NamedTuple

import numpy as np

DRAWS = 2000


class Interval(NamedTuple):
    """A value with its 95 % interval, in percentage points."""

    value: float
    low: float
    high: float


def paired_difference(ours: np.ndarray, theirs: np.ndarray, draws: int = DRAWS) -> Interval:
    """MIoU of ours minus theirs, with its interval over resampled validation images.

    Each draw takes the same images, with replacement, for both. It also draws seeds, separately for
    each; with one seed, the interval covers only the choice of images. The mean is over the classes
    in the ground truth of a draw, so that both are averaged over the same classes.

    Args:
        ours: intersections, unions and true pixels, [seeds, 3, images, K].
        theirs: the same for the other method, on the same images; the number of seeds may differ.
        draws: number of bootstrap samples.
    """
    assert ours.shape[1:] == theirs.shape[1:], (ours.shape, theirs.shape)
    images = ours.shape[2]
    rng = np.random.default_rng(0)
    counts = rng.multinomial(images, np.full(images, 1 / images), size=draws)  # [D, N]
    drawn = _draw_seeds(_mean_iou(ours, counts), rng) - _draw_seeds(_mean_iou(theirs, counts), rng)
    whole = np.ones((1, images), np.int64)
    value = _mean_iou(ours, whole).mean() - _mean_iou(theirs, whole).mean()
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))


def _draw_seeds(miou: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean over seeds drawn with replacement, [D] of [S, D]."""
    seeds, draws = miou.shape
    chosen = rng.integers(seeds, size=(seeds, draws))
    return np.asarray(np.take_along_axis(miou, chosen, axis=0).mean(axis=0))


def _mean_iou(pixels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """MIoU in percent of each seed and draw, [S, D]."""
    per_seed = []
    for intersections, unions, truths in pixels:
        intersection, union, truth = counts @ intersections, counts @ unions, counts @ truths
        iou = np.where(truth > 0, intersection / np.maximum(union, 1), np.nan)  # [D, K]
        per_seed.append(100 * np.nanmean(iou, axis=1))
    return np.stack(per_seed)
