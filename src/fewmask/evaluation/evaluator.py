"""Scores a network on a labeled data set, exactly, on any number of processes."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from fewmask.batch import Dataset, normalise
from fewmask.evaluation.inference import InferenceConfig, predict_probs
from fewmask.evaluation.metrics import AbsentClass, Scores, confusion_matrix, scores
from fewmask.models.decoders import resize
from fewmask.parts import processes


class EvaluationConfig(InferenceConfig):
    """How a network is scored."""

    absent_class: AbsentClass = "leave_out"
    """A class in neither truth nor prediction: left out of the mean, or counted as 0."""


def evaluate(
    network: nn.Module,
    dataset: Dataset,
    num_classes: int,
    config: EvaluationConfig,
    device: torch.device | str = "cpu",
) -> Scores:
    """Scores a network; every image is counted once, at the size of its mask.

    With several processes each takes its share of the images and all get the same scores.

    Args:
        network: gives an `Output`.
        dataset: images with masks.
        num_classes: K.
        config: inference mode and the policy for absent classes.
        device: where the network is.
    """
    confusion = np.zeros((num_classes, num_classes), np.int64)
    with eval_mode(network):
        for index in range(processes.rank(), len(dataset), processes.world_size()):
            truth = dataset.mask(index)
            prediction = predict_labels(network, dataset.image(index), config, device, truth.shape)
            confusion += confusion_matrix(truth, prediction, num_classes)
    summed = processes.total(torch.from_numpy(confusion).to(device)).cpu().numpy()
    return scores(summed, config.absent_class)


def predict_labels(
    network: nn.Module,
    image: np.ndarray,
    config: InferenceConfig,
    device: torch.device | str,
    size: tuple[int, ...],
) -> np.ndarray:
    """Labels uint8 [H, W] of a uint8 image at the given size (height, width)."""
    probs = probs_at(network, image, config, device, size)
    labels: np.ndarray = probs.argmax(dim=0).to(torch.uint8).cpu().numpy()
    return labels


def probs_at(
    network: nn.Module,
    image: np.ndarray,
    config: InferenceConfig,
    device: torch.device | str,
    size: tuple[int, ...],
) -> Tensor:
    """Probabilities [K, H, W] of a uint8 image [h, w, 3], resized to (H, W)."""
    pixels = normalise(torch.tensor(image)[None], device)
    probs = predict_probs(network, pixels, config)
    return resize(probs[None], (size[0], size[1]))[0]


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Puts a network into eval mode, and every part of it back into the mode it had."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
