"""Pseudo-labels: what a network says of an image nobody labeled, and how sure it is."""

from typing import NamedTuple

import torch
from torch import Tensor

from fewmask.batch import IGNORE
from fewmask.parts.resizing import strips, widen


class PseudoLabel(NamedTuple):
    """The most probable class of each pixel and its probability."""

    label: Tensor  # [B, H, W] int64; 255 where there is nothing to label
    confidence: Tensor  # [B, H, W] float32 in [0, 1]


@torch.no_grad()
def pseudo_label(
    logits: Tensor, valid: Tensor | None = None, size: tuple[int, ...] | None = None
) -> PseudoLabel:
    """Reads labels and confidence off logits.

    Args:
        logits: [B, K, h, w]; smaller ones are enlarged on the way, see `resizing`.
        valid: [B, H, W] bool; where False (padding) the label becomes 255, so that no loss uses it.
        size: (H, W); by default that of `valid`, or of the logits.
    """
    size = size or (logits if valid is None else valid).shape[-2:]
    wide = widen(logits.float(), size[1])
    label = torch.empty(len(logits), *size, dtype=torch.int64, device=logits.device)
    confidence = torch.empty(len(logits), *size, device=logits.device)
    for strip in strips(wide, size[0]):
        values = strip.of(wide)  # [B, K, rows, W]
        label[:, strip.rows] = argmax(values, values.amax(dim=1, keepdim=True))
        confidence[:, strip.rows] = values.log_softmax(dim=1).amax(dim=1).exp_()
    if valid is not None:
        label.masked_fill_(~valid, IGNORE)
    return PseudoLabel(label, confidence)


@torch.no_grad()
def most_probable(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """The labels alone, int64 [B, H, W], of logits [B, K, h, w]."""
    wide = widen(logits.float(), size[1])
    label = torch.empty(len(logits), *size, dtype=torch.int64, device=logits.device)
    for strip in strips(wide, size[0]):
        values = strip.of(wide)
        label[:, strip.rows] = argmax(values, values.amax(dim=1, keepdim=True))
    return label


def argmax(values: Tensor, most: Tensor) -> Tensor:
    """Where along K the largest value stands: [B, H, W] of [B, K, H, W].

    A comparison and a second maximum, in floats, cost a third of torch's search for the place.
    """
    k = values.shape[1]
    is_most = torch.eq(values, most, out=torch.empty_like(values))  # 1.0 or 0.0
    from_behind = torch.arange(k, 0, -1, dtype=values.dtype, device=values.device)
    place = k - is_most.mul_(from_behind.view(1, k, 1, 1)).amax(dim=1)
    return place.long().clamp_(max=k - 1)  # nothing equals a NaN


def keep_confident(pseudo: PseudoLabel, threshold: float) -> PseudoLabel:
    """The same pseudo-labels with 255 where the confidence is below the threshold."""
    sure = pseudo.confidence >= threshold  # NaN is not
    return pseudo._replace(label=pseudo.label.masked_fill(~sure, IGNORE))


def sharpen(probs: Tensor, temperature: float) -> Tensor:
    """Raises probabilities [B, K, ...] to the power 1/T and renormalizes them."""
    powered = probs ** (1 / temperature)
    return powered / powered.sum(dim=1, keepdim=True)
