"""Scores a network on a labeled data set, exactly, on any number of processes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor, nn

from fewmask.batch import normalize
from fewmask.config import did_you_mean
from fewmask.data import Dataset
from fewmask.errors import UserError
from fewmask.evaluation.inference import InferenceConfig, predict_probs
from fewmask.evaluation.metrics import AbsentClass, Scores, confusion_matrix, scores
from fewmask.models import Output
from fewmask.parts import processes
from fewmask.parts.resizing import resize

_PLAIN: dict[str, Any] = {
    "at_border": "cut",
    "average": "probs",
    "pad_to": None,
    "scales": (1.0,),
    "flip": False,
}
_U2PL = {"window": 769, "stride": 513, "at_border": "shift", "average": "logits"}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "voc": {**_PLAIN, "mode": "whole"},
    "voc_pseudoseg": {**_PLAIN, "mode": "whole", "pad_to": 513},
    "cityscapes": {**_PLAIN, "mode": "sliding", **_U2PL},
    "cityscapes_imas": {**_PLAIN, "mode": "sliding", "window": 769, "stride": 512},
    "coco": {**_PLAIN, "mode": "whole"},
    "coco_pseudoseg": {**_PLAIN, "mode": "whole", "pad_to": 641},
    "training_crop": {**_PLAIN, "mode": "center_crop"},
}
"""The published ways of scoring: whole images at their own size (VOC, COCO; PseudoSeg pads them),
windows of 769 pixels (Cityscapes: U2PL, PCR and GTA-Seg in one way, iMAS in another), and the
middle alone, as the U2PL family does while it trains."""


class EvaluationConfig(InferenceConfig):
    """How a network is scored."""

    protocol: str | None = None
    """A published way by name: voc, voc_pseudoseg, cityscapes, cityscapes_imas, coco,
    coco_pseudoseg, training_crop. It sets the options below it."""
    absent_class: AbsentClass = "leave_out"
    """A class in neither truth nor prediction: left out of the mean, or counted as 0."""

    @model_validator(mode="before")
    @classmethod
    def _follow_protocol(cls, values: Any) -> Any:
        """Fills in what the protocol says; a setting that contradicts it is an error."""
        name = values.get("protocol") if isinstance(values, dict) else None
        if name is None:
            return values
        if name not in PROTOCOLS:
            raise ValueError(f"protocol={name}: unknown. {did_you_mean(str(name), PROTOCOLS)}")
        for key, value in PROTOCOLS[name].items():
            given = values.get(key, value)
            if (tuple(given) if isinstance(given, list) else given) != value:
                raise ValueError(
                    f"protocol={name} means {key}={value}, but {key}={values[key]} was given; for "
                    "a way of your own set protocol=null"
                )
        return {**PROTOCOLS[name], **values}

    def in_words(self) -> str:
        """What a score must be called."""
        if self.mode == "center_crop":
            return f"center crop {self.window}, not comparable"
        words = "whole image" + (f" padded to {self.pad_to}" if self.pad_to else "")
        if self.mode == "sliding":
            words = (
                f"sliding window {self.window}/{self.stride}, {self.at_border} at the border, "
                f"{self.average} averaged"
            )
        scales = f", scales {list(self.scales)}" if self.scales != (1.0,) else ""
        absent = ", absent classes count 0" if self.absent_class == "zero" else ""
        return words + scales + (", flip" if self.flip else "") + absent


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
    share = range(processes.rank(), len(dataset), processes.world_size())
    for one in confusions(network, dataset, num_classes, config, share, device):
        confusion += one
    summed = processes.total(torch.from_numpy(confusion).to(device)).cpu().numpy()
    return scores(summed, config.absent_class)


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
            yield confusion_matrix(truth, labels.to(torch.uint8).cpu().numpy(), num_classes)


def predictions(
    network: nn.Module,
    dataset: Dataset,
    config: EvaluationConfig,
    indices: Iterable[int],
    device: torch.device | str = "cpu",
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """The mask uint8 [H, W] of each image, and the probabilities [K, H, W] at its size."""
    with eval_mode(network):
        for image, truth in pairs(dataset, config, indices):
            yield truth, probs_at(network, image[None], config, device, truth.shape)[0]


def pairs(
    dataset: Dataset, config: EvaluationConfig, indices: Iterable[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Image uint8 [h, w, C] and mask uint8 [H, W], or their middles, of each index."""
    for index in indices:
        image, truth = dataset.image(index), dataset.mask(index)
        if config.mode == "center_crop":
            image, truth = center_crop(image, truth, config.window)
        yield image, truth


def center_crop(image: np.ndarray, truth: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The middle of an image [H, W, 3] and its mask [H, W], at most `side` pixels each way."""
    if image.shape[:2] != truth.shape:
        raise UserError(
            "evaluation.mode=center_crop needs images at their own size: leave out data.long_side."
        )
    top, left = (max(0, (length - side) // 2) for length in truth.shape)
    middle = slice(top, top + side), slice(left, left + side)
    return image[middle], truth[middle]


def probs_at(
    network: nn.Module,
    images: np.ndarray,
    config: InferenceConfig,
    device: torch.device | str,
    size: tuple[int, ...],
) -> Tensor:
    """Probabilities [B, K, H, W] of uint8 images [B, h, w, C], resized to (H, W)."""
    probs = predict_probs(network, normalize(torch.tensor(images), device), config)
    return resize(probs, (size[0], size[1]))


@torch.no_grad()
def labels_at(
    network: nn.Module,
    image: np.ndarray,
    config: InferenceConfig,
    device: torch.device | str,
    size: tuple[int, ...],
) -> Tensor:
    """The most probable class [H, W] of a uint8 image [h, w, C]; without probabilities if it can.

    They are needed only where several looks are averaged, or resized to a mask of another size.
    """
    single_look = config.mode != "sliding" and config.scales == (1.0,) and not config.flip
    if single_look and config.pad_to is None and image.shape[:2] == size:
        output: Output = network(normalize(torch.tensor(image)[None], device))
        return output.labels()[0]
    return probs_at(network, image[None], config, device, size)[0].argmax(dim=0)


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
