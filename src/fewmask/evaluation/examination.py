"""More about a trained network than its scores: calibration, borders, and each image alone."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn

from fewmask.batch import IGNORE
from fewmask.data import Dataset
from fewmask.evaluation.evaluator import Track, predictions
from fewmask.evaluation.metrics import Scores, confusion_matrix, scores
from fewmask.evaluation.protocols import EvaluationConfig

BINS = 15
"""Bins of the reliability diagram, equally wide."""
BORDER = 0.02
"""Width of a border region, as a fraction of the image's diagonal (Boundary IoU's default)."""


@dataclass(frozen=True)
class Examination:
    """What an examination measures over all images of a data set.

    Attributes:
        scores: as `evaluate` gives them.
        boundary_iou: in percent, mean over the classes; Cheng et al., Boundary IoU, CVPR 2021.
        confidence: mean confidence in each bin, [15]; NaN where a bin is empty.
        accuracy: share of correct pixels in each bin, [15]; NaN where a bin is empty.
        pixels: number of pixels in each bin, [15].
        image_miou: mIoU of each image alone, in percent, [N].
    """

    scores: Scores
    boundary_iou: float
    confidence: np.ndarray
    accuracy: np.ndarray
    pixels: np.ndarray
    image_miou: np.ndarray

    @property
    def calibration_error(self) -> float:
        """ECE in percent: the mean gap between confidence and accuracy (Guo et al., ICML 2017)."""
        gap = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float(100 * (gap * self.pixels).sum() / max(1, self.pixels.sum()))


def examine(
    network: nn.Module,
    dataset: Dataset,
    num_classes: int,
    config: EvaluationConfig,
    device: torch.device | str = "cpu",
    track: Track = iter,
) -> Examination:
    """Predicts every image of a labeled data set once and measures more than its scores.

    Args:
        network: gives an `Output`.
        dataset: images with masks.
        num_classes: K.
        config: inference mode and the policy for absent classes.
        device: where the network is.
        track: is asked for the indices of the images.
    """
    confusion = np.zeros((num_classes, num_classes), np.int64)
    border = np.zeros((2, num_classes), np.int64)
    bins = np.zeros((3, BINS))  # pixels, sum of confidence, correct pixels
    image_miou = []
    indices = track(range(len(dataset)))
    for truth, probs in predictions(network, dataset, config, indices, device):
        highest, label = probs.max(dim=0)
        prediction = label.to(torch.uint8).cpu().numpy()
        one = confusion_matrix(truth, prediction, num_classes)
        confusion += one
        image_miou.append(scores(one, config.absent_class).miou)
        border += _border_counts(truth, prediction, num_classes)
        bins += _calibration(truth, prediction, highest.float().cpu().numpy())
    with np.errstate(invalid="ignore", divide="ignore"):
        confidence, accuracy = bins[1] / bins[0], bins[2] / bins[0]
        border_iou = 100 * np.nanmean(border[0] / np.where(border[1] > 0, border[1], np.nan))
    return Examination(
        scores(confusion, config.absent_class),
        float(border_iou),
        confidence,
        accuracy,
        bins[0],
        np.array(image_miou),
    )


def _calibration(truth: np.ndarray, prediction: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Pixels, summed confidence and correct pixels by bin, [3, 15]; 255 is left out."""
    labeled = truth != IGNORE
    certain = confidence[labeled]
    correct = (truth == prediction)[labeled]
    bins = np.minimum((certain * BINS).astype(int), BINS - 1)  # a confidence of 1 is in the last
    return np.stack([np.bincount(bins, weight, BINS) for weight in (None, certain, correct)])


def _border_counts(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Intersection and union of the border regions of each class, [2, K]."""
    width = max(1, round(BORDER * float(np.hypot(*truth.shape))))
    labeled = truth != IGNORE
    counts = np.zeros((2, num_classes), np.int64)
    for label in np.union1d(np.unique(truth[labeled]), np.unique(prediction[labeled])):
        ours = _border((prediction == label) & labeled, width)
        theirs = _border(truth == label, width)
        counts[:, label] = (ours & theirs).sum(), (ours | theirs).sum()
    return counts


def _border(region: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a region within `width` of its border; the edge of the image counts as one."""
    padded = np.pad(region.astype(np.uint8), 1)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return np.asarray(region & (inner == 0))
