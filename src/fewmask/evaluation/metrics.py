"""The confusion matrix, and the scores that follow from it: IoU, mIoU, pixel accuracy."""

from typing import Literal, NamedTuple

import numpy as np

from fewmask.batch import IGNORE

AbsentClass = Literal["leave_out", "zero"]


class Scores(NamedTuple):
    """The scores of a network on a data set, in percent."""

    miou: float
    pixel_accuracy: float
    iou: tuple[float, ...]  # per class; NaN if a class is in neither truth nor prediction
    confusion: np.ndarray  # [K, K] int64, pixels: rows are the truth, columns the prediction
    images: np.ndarray | None = None
    """Intersection, union and truth of each image, in pixels: int64 [3, N, K]; None if unknown."""


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts pixels by (true class, predicted class). Pixels with 255 in the truth are ignored.

    Args:
        truth: uint8 [H, W], 0..K-1 or 255.
        prediction: integers [H, W], 0..K-1.
        num_classes: K, at most 255.

    Returns:
        [K, K] int64.
    """
    # Ignored pixels are counted in a spare row, which is faster than masking them out.
    row = np.minimum(truth, num_classes)
    assert (truth[row == num_classes] == IGNORE).all(), "truth holds labels outside the classes"
    # 16-bit numbers are enough for 255 x 255 pairs, and faster than bincount's 64-bit ones.
    pairs = row.astype(np.uint16) * np.uint16(num_classes) + prediction.astype(np.uint16)
    counts = np.bincount(pairs.ravel(), minlength=(num_classes + 1) * num_classes)
    return counts.reshape(num_classes + 1, num_classes)[:num_classes]


def intersection_and_union(confusion: np.ndarray) -> np.ndarray:
    """Intersection and union of each class, in pixels: [2, K] of a confusion matrix [K, K]."""
    hits = np.diag(confusion)
    return np.stack([hits, confusion.sum(0) + confusion.sum(1) - hits])


def image_counts(confusion: np.ndarray) -> np.ndarray:
    """Intersection, union and truth of each class, in pixels: [3, K] of a confusion matrix."""
    return np.stack([*intersection_and_union(confusion), confusion.sum(1)])


def scores(confusion: np.ndarray, absent_class: AbsentClass = "leave_out") -> Scores:
    """Computes the scores of a confusion matrix.

    Args:
        confusion: [K, K], rows are the truth.
        absent_class: a class in neither truth nor prediction is left out of the mean, or counts as
            0, as in many released implementations.
    """
    hits, union = intersection_and_union(confusion).astype(np.float64)
    iou = np.full(len(hits), np.nan)
    np.divide(hits, union, out=iou, where=union > 0)
    total = confusion.sum()
    if total == 0:
        mean = accuracy = float("nan")
    else:
        mean = float(np.nanmean(iou) if absent_class == "leave_out" else np.nan_to_num(iou).mean())
        accuracy = float(hits.sum() / total)
    return Scores(100 * mean, 100 * accuracy, tuple((100 * iou).tolist()), confusion)
