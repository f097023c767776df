"""Class probabilities of an image: whole or by sliding window, at several scales, mirrored."""

import math
from typing import Annotated, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from fewmask.config import BaseConfig
from fewmask.parts.resizing import resize


class InferenceConfig(BaseConfig):
    """How an image is run through the network. The default is one pass over the whole image."""

    mode: Literal["whole", "sliding", "center_crop"] = "whole"
    """The whole image at once, by overlapping windows, or its middle alone (as some codes do while
    they train; several points off, never to be compared)."""
    window: int = Field(default=769, ge=1)
    """Side of a sliding window, or of the middle, in pixels."""
    stride: int = Field(default=512, ge=1)
    """Pixels from one sliding window to the next (the papers: two thirds of the window)."""
    at_border: Literal["cut", "shift"] = "cut"
    """Windows that reach beyond the image are cut (iMAS) or shifted back (U2PL family)."""
    average: Literal["probs", "logits"] = "probs"
    """What overlapping windows average: probabilities (iMAS) or logits (U2PL family)."""
    pad_to: int | None = None
    """Pads a whole image, bottom and right, to this side first (PseudoSeg: 513 VOC, 641 COCO)."""
    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(1.0,), min_length=1)
    """The image is also run at these sizes, and the probabilities are averaged."""
    flip: bool = False
    """Also runs the mirrored image."""

    @model_validator(mode="after")
    def _windows_overlap(self) -> Self:
        if self.stride > self.window:
            raise ValueError(f"stride={self.stride} leaves gaps between windows of {self.window}")
        return self


@torch.no_grad()
def predict_probs(network: nn.Module, image: Tensor, config: InferenceConfig) -> Tensor:
    """Class probabilities of images of one size.

    Args:
        network: gives an `Output`; should be in eval mode.
        image: [B, C, H, W], normalized, any size.
        config: whole or sliding, scales, flip; an image whose middle is wanted comes cropped.

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
    padded = F.pad(image, (0, max(0, side - width), 0, max(0, side - height)))  # 0: mean color
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
    """Where windows begin along one side, so that the last one reaches the end.

    Example:
        window_starts(2048, window=769, stride=512)  # [0, 512, 1024, 1536]
        window_starts(2048, window=769, stride=513, at_border="shift")  # [0, 513, 1026, 1279]
    """
    count = 1 + max(0, math.ceil((length - window) / stride))
    last = max(0, length - window) if at_border == "shift" else length
    return [min(i * stride, last) for i in range(count)]
