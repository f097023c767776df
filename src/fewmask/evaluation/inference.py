"""Class probabilities of an image: whole or by sliding window, at several scales, mirrored."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from fewmask.config import BaseConfig
from fewmask.models.decoders import resize


class InferenceConfig(BaseConfig):
    """How an image is run through the network. The default is one pass over the whole image."""

    mode: Literal["whole", "sliding"] = "whole"
    """The whole image at once, or by overlapping windows."""
    window: int = 769
    """Side of a sliding window, in pixels."""
    stride: int = 512
    """Pixels from one sliding window to the next (the papers: two thirds of the window)."""
    scales: tuple[float, ...] = (1.0,)
    """The image is also run at these sizes, and the probabilities are averaged."""
    flip: bool = False
    """Also runs the mirrored image."""


@torch.no_grad()
def predict_probs(network: nn.Module, image: Tensor, config: InferenceConfig) -> Tensor:
    """Class probabilities of one image.

    Args:
        network: gives an `Output`; should be in eval mode.
        image: [1, 3, H, W], normalised, any size.
        config: whole or sliding, scales, flip.

    Returns:
        [K, H, W] float32, sums to 1 over K.
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
    return total[0] / total[0].sum(dim=0)


def _whole(network: nn.Module, image: Tensor, config: InferenceConfig) -> Tensor:
    probs: Tensor = network(image).logits.softmax(dim=1)
    return probs


def _sliding(network: nn.Module, image: Tensor, config: InferenceConfig) -> Tensor:
    """Sums the probabilities of overlapping windows.

    Windows start every `stride` pixels and are cut at the border, not moved (as in the papers'
    codes).
    """
    height, width = image.shape[-2:]
    total: Tensor | None = None
    for top in window_starts(height, config.window, config.stride):
        for left in window_starts(width, config.window, config.stride):
            rows, columns = slice(top, top + config.window), slice(left, left + config.window)
            probs = network(image[..., rows, columns]).logits.softmax(dim=1)
            if total is None:
                total = probs.new_zeros(1, probs.shape[1], height, width)
            total[..., rows, columns] += probs
    assert total is not None
    return total / total.sum(dim=1, keepdim=True)


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along one side, so that the last one reaches the end.

    Example:
        window_starts(2048, window=769, stride=512)  # [0, 512, 1024, 1536]
    """
    return [i * stride for i in range(1 + max(0, math.ceil((length - window) / stride)))]
