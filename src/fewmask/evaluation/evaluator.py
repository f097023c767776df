"""Scores a network on a labeled data set, exactly, on any number of processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from fewmask.data import Dataset
from fewmask.errors import UserError
from fewmask.evaluation.inference import eval_mode, labels_at, probs_at
from fewmask.evaluation.metrics import Scores, confusion_matrix, image_counts, scores
from fewmask.evaluation.protocols import EvaluationConfig
from fewmask.parts import processes

Track = Callable[[Sequence[int]], Iterable[int]]
"""Passes on the indices of images, and may show how many are done; `iter` shows nothing."""


def evaluate(
    network: nn.Module,
    dataset: Dataset,
    num_classes: int,
    config: EvaluationConfig,
    device: torch.device | str = "cpu",
    track: Track = iter,
) -> Scores:
    """Scores a network. Every image counts once, at the size of its mask.

    With several processes, each one scores its share of the images, and all return the same scores.

    Args:
        network: gives an `Output`.
        dataset: images with masks.
        num_classes: K.
        config: inference mode and the policy for absent classes.
        device: where the network is.
        track: is asked for the indices of the images.
    """
    confusion = np.zeros((num_classes, num_classes), np.int64)
    images = np.zeros((3, len(dataset), num_classes), np.int64)
    share = range(processes.rank(), len(dataset), processes.world_size())
    found = confusions(network, dataset, num_classes, config, track(share), device)
    for index, one in zip(share, found, strict=True):
        confusion += one
        images[:, index] = image_counts(one)
    # Pixels are summed over the processes, not scores: shares of unequal size stay exact.
    summed, of_images = (
        processes.total(torch.from_numpy(counts).to(device)).cpu().numpy()
        for counts in (confusion, images)
    )
    return scores(summed, config.absent_class)._replace(images=of_images)


def confusions(
    network: nn.Module,
    dataset: Dataset,
    num_classes: int,
    config: EvaluationConfig,
    indices: Iterable[int],
    device: torch.device | str = "cpu",
) -> Iterator[np.ndarray]:
    """The confusion matrix [K, K] of each image, at the size of its mask."""
    with eval_mode(network):
        for image, truth in pairs(dataset, config, indices):
            labels = labels_at(network, image, config, device, truth.shape)
            # As uint8 on the device already: an eighth of the bytes to copy from a GPU.
            yield confusion_matrix(truth, labels.to(torch.uint8).cpu().numpy(), num_classes)


def predictions(
    network: nn.Module,
    dataset: Dataset,
    config: EvaluationConfig,
    indices: Iterable[int],
    device: torch.device | str = "cpu",
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """The mask uint8 [H, W] of each image, and the probabilities [K, H, W] at its size.

    Args:
        network: gives an `Output`.
        dataset: images with masks.
        config: how an image is predicted.
        indices: of the images.
        device: where the network is.
    """
    with eval_mode(network):
        for image, truth in pairs(dataset, config, indices):
            yield truth, probs_at(network, image[None], config, device, truth.shape)[0]


def pairs(
    dataset: Dataset, config: EvaluationConfig, indices: Iterable[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Image uint8 [h, w, C] and mask uint8 [H, W] of each index, cropped if the config says so."""
    for index in indices:
        image, truth = dataset.image(index), dataset.mask(index)
        if config.mode == "center_crop":
            image, truth = center_crop(image, truth, config.window)
        yield image, truth


def center_crop(image: np.ndarray, truth: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The center of an image [H, W, C] and its mask [H, W], at most `side` pixels each way.

    Raises:
        UserError: if the two differ in size.
    """
    if image.shape[:2] != truth.shape:
        raise UserError(
            "evaluation.mode=center_crop needs images at their own size: leave out data.long_side."
        )
    top, left = (max(0, (length - side) // 2) for length in truth.shape)
    center = slice(top, top + side), slice(left, left + side)
    return image[center], truth[center]
