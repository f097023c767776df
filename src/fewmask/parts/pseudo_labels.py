"""Pseudo-labels: the classes that a network predicts, and its confidence."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fewmask.batch import IGNORE
from fewmask.parts import processes
from fewmask.parts.precision import exact_float
from fewmask.parts.resizing import strips, widen


class PseudoLabel(NamedTuple):
    """The most probable class of each pixel and its probability."""

    label: Tensor  # [B, H, W] int64; 255 where a pixel has no pseudo-label
    confidence: Tensor  # [B, H, W] float32 in [0, 1]


@torch.no_grad()
def pseudo_label(
    logits: Tensor, valid: Tensor | None = None, size: tuple[int, ...] | None = None
) -> PseudoLabel:
    """Labels and confidences of logits.

    Args:
        logits: [B, K, h, w]; resized strip by strip, see `resizing`.
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
def certainty(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """How sure a network is of each image, 0..1: mean over pixels of max p (1 - H(p) / ln K).

    Source: Zhao et al., AugSeg, CVPR 2023. Padding counts, as in its released code.

    Args:
        logits: [B, K, h, w].
        size: (H, W) of the images.

    Returns:
        [B].
    """
    wide = widen(logits.float(), size[1])
    total = torch.zeros(len(logits), device=logits.device)
    for strip in strips(wide, size[0]):
        probs = strip.of(wide).softmax(dim=1)
        entropy = -(probs * (probs + 1e-10).log()).sum(dim=1)
        total += (probs.amax(dim=1) * (1 - entropy / math.log(logits.shape[1]))).sum((1, 2))
    return total / (size[0] * size[1])


@torch.no_grad()
def most_probable(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """The labels, int64 [B, H, W], of logits [B, K, h, w]."""
    wide = widen(logits.float(), size[1])
    label = torch.empty(len(logits), *size, dtype=torch.int64, device=logits.device)
    for strip in strips(wide, size[0]):
        values = strip.of(wide)
        label[:, strip.rows] = argmax(values, values.amax(dim=1, keepdim=True))
    return label


def argmax(values: Tensor, most: Tensor) -> Tensor:
    """The first index of the largest value along K: [B, H, W] from [B, K, H, W].

    A comparison and a second maximum, both in floats, take a third of the time of torch's argmax.

    Args:
        values: [B, K, H, W].
        most: [B, 1, H, W], their maximum along K.
    """
    k = values.shape[1]
    is_most = torch.eq(values, most, out=torch.empty_like(values))  # 1.0 or 0.0
    # Descending weights make the first of several equal maxima win, as torch's argmax does.
    weights = torch.arange(k, 0, -1, dtype=values.dtype, device=values.device)
    index = k - is_most.mul_(weights.view(1, k, 1, 1)).amax(dim=1)
    # Where the maximum is NaN nothing equals it, and the index would be K.
    return index.long().clamp_(max=k - 1)


def keep_confident(pseudo: PseudoLabel, threshold: float) -> PseudoLabel:
    """The same pseudo-labels with 255 where the confidence is below the threshold.

    Args:
        pseudo: labels and their confidence.
        threshold: tau, 0..1.
    """
    is_confident = pseudo.confidence >= threshold  # False for NaN
    return pseudo._replace(label=pseudo.label.masked_fill(~is_confident, IGNORE))


@torch.no_grad()
def surest(pseudo: PseudoLabel, percent: float) -> tuple[Tensor, Tensor]:
    """Which pixels are among the most confident ones of all processes.

    Pixels at or below the (100 - percent) percentile of the confidences are not, so equal
    confidences at the cut are all left out. With 100 every labeled pixel is among them.

    Args:
        pseudo: labels and their confidence.
        percent: about how many of the labeled pixels, 0..100.

    Returns:
        Which pixels are, bool [B, H, W], and the percentile, 0-d.
    """
    labeled = pseudo.label != IGNORE
    known = processes.gather(pseudo.confidence.masked_fill(~labeled, torch.nan))
    cut = nan_quantile(known.float(), 1 - percent / 100)
    is_above = pseudo.confidence >= cut if percent == 100 else pseudo.confidence > cut
    return labeled & is_above, cut


def nan_quantile(values: Tensor, q: float) -> Tensor:
    """`values.nanquantile(q)`, without torch's limit of 16 million numbers."""
    ordered = values.flatten().sort().values  # NaN last
    place = q * (~ordered.isnan()).sum().sub(1).clamp(min=0).to(exact_float(values.device))
    low, high = place.floor(), place.ceil()
    ends = [ordered.gather(0, end.long().view(1))[0] for end in (low, high)]
    return ends[0].lerp(ends[1], (place - low).to(values.dtype))


def sharpen(probs: Tensor, temperature: float) -> Tensor:
    """Raises probabilities [B, K, ...] to the power 1/T and renormalizes them.

    Args:
        probs: sum to 1 over dimension 1.
        temperature: T. Values below 1 sharpen.
    """
    powered = probs ** (1 / temperature)
    return powered / powered.sum(dim=1, keepdim=True)


def agreement(first: Tensor, second: Tensor, target: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Entropy of a fused target, and share of equal labels, over the valid pixels.

    Args:
        first: [B, K, h, w] logits.
        second: [B, K, h, w] logits.
        target: [B, K, h, w] probabilities, their fusion.
        valid: [B, h, w] bool.
    """
    pixels = processes.mean(valid.sum().float()).clamp(min=1)
    entropy = -(target * target.clamp(min=1e-8).log()).sum(dim=1)
    agree = first.argmax(dim=1) == second.argmax(dim=1)
    return {
        "fusion_entropy": (entropy * valid).sum() / pixels,
        "fusion_agreement": (agree & valid).sum() / pixels,
    }
