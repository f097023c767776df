"""The gallery of a report: the worst validation images, each with its overlays."""

from dataclasses import dataclass

import numpy as np

from fewmask.batch import IGNORE
from fewmask.data import Dataset
from fewmask.data.images import as_rgb
from fewmask.evaluation.evaluator import Track
from fewmask.evaluation.predictor import Predictor
from fewmask.report.inline_pictures import map_of_confidence, map_of_labels, photo


@dataclass(frozen=True)
class Layer:
    """One overlay of an image."""

    name: str
    picture: str
    """A data: URL."""


@dataclass(frozen=True)
class Case:
    """One image of the gallery."""

    name: str
    miou: float
    """Of this image alone, in percent."""
    image: str
    """A data: URL."""
    layers: list[Layer]


def worst_cases(
    predictor: Predictor,
    val: Dataset,
    image_miou: np.ndarray,
    count: int,
    threshold: float | None,
    track: Track = iter,
) -> list[Case]:
    """The images with the lowest mIoU, the worst first.

    Args:
        predictor: predicts them.
        val: the validation images.
        image_miou: mIoU of each of them, [N].
        count: how many to show; at least one is shown.
        threshold: confidence below which a pixel gets no pseudo-label; None if the method has no
            such threshold.
        track: is asked for the indices of the images that are shown.
    """
    # An image without labels has no mIoU (NaN), so it comes last.
    worst = np.argsort(np.nan_to_num(image_miou, nan=np.inf))[: max(1, count)]
    return [
        Case(
            val.names[index],
            float(image_miou[index]),
            photo(as_rgb(val.image(index))),
            _layers(predictor, val.image(index), val.mask(index), threshold),
        )
        for index in track(worst.tolist())
    ]


def _layers(
    predictor: Predictor, image: np.ndarray, truth: np.ndarray, threshold: float | None
) -> list[Layer]:
    """Prediction, truth, confidence, and the pseudo-label if there is a threshold."""
    prediction, colors = predictor.predict(image), predictor.classes.colors
    layers = [
        Layer("prediction", map_of_labels(prediction.mask, colors)),
        Layer("truth", map_of_labels(truth, colors)),
        Layer("confidence", map_of_confidence(prediction.confidence)),
    ]
    if threshold is not None:
        confident = np.where(prediction.confidence < threshold, IGNORE, prediction.mask)
        layers.append(Layer("pseudo-label", map_of_labels(confident.astype(np.uint8), colors)))
    return layers
