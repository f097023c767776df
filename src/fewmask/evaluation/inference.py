"""Class probabilities of images: whole or by sliding window, at several scales, mirrored."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from fewmask.batch import IMAGENET, Normalization, normalize
from fewmask.config import BaseConfig
from fewmask.models import Output
from fewmask.parts.resizing import resize

MOST_TIMES = 256
"""That a pixel is predicted. The papers' windows, with six scales and mirrored, do so 40 times."""


class InferenceConfig(BaseConfig):
    """How a network predicts an image. The default is one pass over the whole image."""

    mode: Literal["whole", "sliding", "center_crop"] = "whole"
    """`whole` predicts the whole image at once, `sliding` by overlapping windows. `center_crop`
    scores only the center of the image, as some released code does during training; its scores are
    several points off and cannot be compared with others."""
    window: int = Field(default=769, ge=1, le=65536)
    """Side of a sliding window or of the center crop, in pixels."""
    stride: int = Field(default=512, ge=1, le=65536)
    """Pixels from one sliding window to the next. The papers use two thirds of the window."""
    at_border: Literal["cut", "shift"] = "cut"
    """Windows that reach beyond the image are cut off (iMAS) or shifted back (U2PL family)."""
    average: Literal["probs", "logits"] = "probs"
    """What is averaged where windows overlap: probabilities (iMAS) or logits (U2PL family)."""
    pad_to: int | None = Field(default=None, ge=1, le=16384)
    """Pads a whole image to this side first, at the bottom and on the right. PseudoSeg uses 513 for
    VOC and 641 for COCO."""
    scales: tuple[Annotated[float, Field(gt=0, le=16)], ...] = Field(
        default=(1.0,), min_length=1, max_length=32
    )
    """Predicts the image at each of these scales and averages the probabilities."""
    flip: bool = False
    """Also predicts the mirrored image and averages the probabilities."""

    @model_validator(mode="after")
    def _windows_overlap(self) -> Self:
        if self.stride > self.window:
            raise ValueError(f"stride={self.stride} leaves gaps between windows of {self.window}")
        return self

    @model_validator(mode="after")
    def _ends_in_time(self) -> Self:
        """Refuses what would take days for a photo, as the file of a stranger may ask for."""
        overlap = (self.window / self.stride) ** 2 if self.mode == "sliding" else 1.0
        times = overlap * sum(scale**2 for scale in self.scales) * (2 if self.flip else 1)
        if times > MOST_TIMES:
            raise ValueError(
                f"each pixel would be predicted {times:,.0f} times, and {MOST_TIMES} is the limit. "
                "Set a larger stride, or fewer or smaller scales"
            )
        return self


@torch.no_grad()
def predict_probs(network: nn.Module, image: Tensor, config: InferenceConfig) -> Tensor:
    """Class probabilities of images of one size.

    Args:
        network: gives an `Output`; should be in eval mode.
        image: [B, C, H, W], normalized, any size. For `center_crop`, crop it first.
        config: whole or sliding, scales, flip.

    Returns:
        [B, K, H, W] float32, sums to 1 over K.
    """
    size = image.shape[-2:]
    single = _sliding if config.mode == "sliding" else _whole
    total: Tensor | None = None
    for scale in config.scales:
        scaled = resize(image, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))
        for mirrored in (False, True) if config.flip else (False,):
            probs = single(network, scaled.flip(-1) if mirrored else scaled, config)
            probs = resize(probs.flip(-1) if mirrored else probs, size)
            total = probs if total is None else total + probs
    assert total is not None
    return total / total.sum(dim=1, keepdim=True)


def _whole(network: nn.Module, image: Tensor, config: InferenceConfig) -> Tensor:
    height, width = image.shape[-2:]
    side = config.pad_to or 0
    # Images are normalized, so that padding with 0 pads with the mean color.
    padded = F.pad(image, (0, max(0, side - width), 0, max(0, side - height)))
    probs: Tensor = network(padded).upsampled_logits[..., :height, :width].softmax(dim=1)
    return probs


def _sliding(network: nn.Module, image: Tensor, config: InferenceConfig) -> Tensor:
    """Averages the probabilities or the logits of overlapping windows."""
    height, width = image.shape[-2:]
    total: Tensor | None = None
    hits = image.new_zeros(1, 1, height, width)
    for top in window_starts(height, config.window, config.stride, config.at_border):
        for left in window_starts(width, config.window, config.stride, config.at_border):
            rows, columns = slice(top, top + config.window), slice(left, left + config.window)
            logits = network(image[..., rows, columns]).upsampled_logits
            if total is None:
                total = logits.new_zeros(*logits.shape[:2], height, width)
            total[..., rows, columns] += (
                logits if config.average == "logits" else logits.softmax(dim=1)
            )
            hits[..., rows, columns] += 1
    assert total is not None
    mean = total / hits
    return mean.softmax(dim=1) if config.average == "logits" else mean


def window_starts(
    length: int, window: int, stride: int, at_border: Literal["cut", "shift"] = "cut"
) -> list[int]:
    """The positions at which windows begin along one side. The last window reaches the end.

    Example:
        window_starts(2048, window=769, stride=512)  # [0, 512, 1024, 1536]
        window_starts(2048, window=769, stride=513, at_border="shift")  # [0, 513, 1026, 1279]
    """
    count = 1 + max(0, math.ceil((length - window) / stride))
    last = max(0, length - window) if at_border == "shift" else length
    return [min(i * stride, last) for i in range(count)]


def probs_at(
    network: nn.Module,
    images: np.ndarray,
    config: InferenceConfig,
    device: torch.device | str,
    size: tuple[int, ...],
) -> Tensor:
    """Probabilities [B, K, H, W] of uint8 images [B, h, w, C], resized to (H, W)."""
    probs = predict_probs(network, network_input(network, images, device), config)
    return resize(probs, (size[0], size[1]))


@torch.no_grad()
def labels_at(
    network: nn.Module,
    image: np.ndarray,
    config: InferenceConfig,
    device: torch.device | str,
    size: tuple[int, ...],
) -> Tensor:
    """The most probable class [H, W] of a uint8 image [h, w, C], resized to (H, W)."""
    single_pass = config.mode != "sliding" and config.scales == (1.0,) and not config.flip
    if single_pass and config.pad_to is None and image.shape[:2] == size:
        # Nothing to average or to resize: the largest logit decides, without a softmax.
        output: Output = network(network_input(network, image[None], device))
        return output.labels()[0]
    return probs_at(network, image[None], config, device, size)[0].argmax(dim=0)


def network_input(network: nn.Module, images: np.ndarray, device: torch.device | str) -> Tensor:
    """Floats [B, C, h, w], normalized as the network expects it, from uint8 images [B, h, w, C]."""
    expected = expected_normalization(network, images.shape[3])
    return normalize(torch.tensor(images), device, expected)


def expected_normalization(network: nn.Module, channels: int) -> Normalization:
    """What a network expects of images: its own attribute `normalization`, or else ImageNet's."""
    # A predictor may wrap a segmenter, such as one that classifies its features in another way.
    for module in network.modules():
        if isinstance(found := getattr(module, "normalization", None), Normalization):
            return found
    return IMAGENET.for_bands(channels)


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Puts a network into eval mode, and afterwards each module back into the mode it had."""
    # Module by module: a frozen BatchNorm stays in eval mode while the rest of a network trains.
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
