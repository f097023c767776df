"""Shared losses: plain cross-entropy, OHEM, and cross-entropy on confident pseudo-labels."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from fewmask.batch import IGNORE
from fewmask.config import BaseConfig
from fewmask.parts import processes
from fewmask.parts.pixel_loss import pixel_cross_entropy
from fewmask.parts.resizing import resize


class SupervisedLoss(BaseConfig):
    """The loss on human masks; call it like a function.

    Example:
        loss = SupervisedLoss(kind="ohem")(logits, aux_logits, mask)
    """

    kind: Literal["ce", "ohem"] = "ce"
    """Cross-entropy over all labeled pixels, or over the hard ones (OHEM, the papers' choice on
    Cityscapes)."""
    ohem_threshold: float = Field(default=0.7, ge=0, le=1)
    """OHEM keeps pixels whose true class has at most this probability ..."""
    ohem_min_kept: int = Field(default=100_000, ge=0)
    """... but at least this many of a process's batch; a batch with fewer labeled pixels keeps
    all of them."""
    class_weights: Literal["balanced"] | tuple[Annotated[float, Field(gt=0)], ...] | None = None
    """Weight of each class's pixels, one number per class; balanced computes them from the labeled
    masks, as 1 / sqrt of a class's share."""
    dice_weight: float = Field(default=0.0, ge=0)
    """Weight of an additional Dice loss, in which every class counts the same, however small."""
    aux_weight: float = Field(default=0.4, ge=0)
    """Weight of the auxiliary head's loss; unused without model.aux_head."""

    def __call__(self, logits: Tensor, aux_logits: Tensor | None, mask: Tensor) -> Tensor:
        """The loss of labeled images.

        Args:
            logits: [B, K, h, w]; resized to the mask's size.
            aux_logits: the same of the auxiliary head, or None.
            mask: [B, H, W] int64, 0..K-1 or 255.
        """
        loss = self._one_head(logits, mask)
        if aux_logits is not None:
            loss = loss + self.aux_weight * self._one_head(aux_logits, mask)
        return loss

    def _one_head(self, logits: Tensor, mask: Tensor) -> Tensor:
        if self.kind == "ohem" or self.dice_weight:
            logits = resize(logits, mask.shape[-2:])
        if self.kind == "ohem":
            mask = hard_pixels(logits.detach(), mask, self.ohem_threshold, self.ohem_min_kept)
        assert self.class_weights != "balanced", "the weights are worked out before training"
        loss = cross_entropy(logits, mask, weights=self.class_weights)
        return loss + self.dice_weight * dice(logits, mask) if self.dice_weight else loss


def cross_entropy(
    logits: Tensor,
    mask: Tensor,
    counts: Tensor | None = None,
    weights: Sequence[float] | None = None,
) -> Tensor:
    """Cross-entropy, mean over the labeled pixels of the global batch; 0 if there is none.

    Each process divides its sum by the mean count of all processes, so that the average over
    processes is the mean over all labeled pixels, wherever they lie.

    Args:
        logits: [B, K, h, w], read at the mask's size, or [N, K].
        mask: [B, H, W] or [N] int64, 0..K-1 or 255.
        counts: bool like `mask`; where False (not confident) a pixel adds nothing to the sum, but
            stays in the number the sum is divided by.
        weights: of the classes, [K]; the mean is then a weighted one.
    """
    labeled = mask != IGNORE
    weight = None
    if weights is not None:
        weight = _on(weights, logits.device)[mask.masked_fill(~labeled, 0)] * labeled
    taken = mask if counts is None else mask.masked_fill(~counts, IGNORE)
    if logits.ndim == 4:
        loss = pixel_cross_entropy(logits, taken, weight).sum()
    else:
        loss = F.cross_entropy(logits, taken, ignore_index=IGNORE, reduction="none")
        loss = (loss if weight is None else loss * weight).sum()
    own = labeled.sum() if weight is None else weight.sum()
    count = processes.mean(own.to(loss.dtype))
    return loss / (count.clamp(min=1) if weight is None else count.clamp(min=1e-6))


@lru_cache(maxsize=8)
def _on(weights: Sequence[float], device: torch.device) -> Tensor:
    """Class weights on a device, copied once, as the host waits for each copy."""
    return torch.tensor(weights, device=device)


def dice(logits: Tensor, mask: Tensor) -> Tensor:
    """Soft Dice loss, mean over the classes in a process's batch; 0 without labels.

    Source: Milletari et al., V-Net, 3DV 2016.

    Args:
        logits: [B, K, H, W].
        mask: [B, H, W] int64, 0..K-1 or 255.
    """
    labeled = (mask != IGNORE).unsqueeze(1)  # [B, 1, H, W]
    probs = logits.softmax(dim=1) * labeled
    truth = torch.zeros_like(probs).scatter_(1, mask.masked_fill(mask == IGNORE, 0)[:, None], 1.0)
    truth = truth * labeled
    shared, size = (probs * truth).sum((0, 2, 3)), truth.sum((0, 2, 3))  # [K]
    loss = 1 - 2 * shared / (probs.sum((0, 2, 3)) + size).clamp(min=1e-6)
    present = size > 0
    return (loss * present).sum() / present.sum().clamp(min=1)


def hard_pixels(logits: Tensor, mask: Tensor, threshold: float, min_kept: int) -> Tensor:
    """Online hard example mining (OHEM): ignores the pixels that are already easy.

    Keeps the pixels whose true class has probability at most max(threshold, k-th smallest), with
    k = min_kept. With fewer labeled pixels than min_kept, or with min_kept = 0, all are kept.

    Source: Shrivastava et al., CVPR 2016, in the per-pixel form of the PSPNet and U2PL code.

    Args:
        logits: [B, K, H, W].
        mask: [B, H, W] int64, 0..K-1 or 255.
        threshold: pixels whose true class is less probable are always kept.
        min_kept: the number of pixels to keep at least.

    Returns:
        [B, H, W] like `mask`, with 255 at the pixels left out.
    """
    labeled = mask != IGNORE
    if min_kept == 0:
        return mask
    true_class = mask.masked_fill(~labeled, 0).unsqueeze(1)
    prob = logits.softmax(dim=1).gather(1, true_class).squeeze(1)  # [B, H, W]
    prob = prob.masked_fill(~labeled, 1.0)  # ignored pixels count as easy, as in the papers' code
    k = min(min_kept, prob.numel())
    cut = prob.flatten().kthvalue(k).values.clamp(min=threshold)
    enough = labeled.sum() >= min_kept
    return torch.where(enough & (prob > cut), IGNORE, mask)


def confident_cross_entropy(
    logits: Tensor, label: Tensor, confidence: Tensor, threshold: float
) -> Tensor:
    """Cross-entropy against confident pseudo-labels, one value per image.

    The sum is divided by all pixels of the image, not by the confident ones, so an image with few
    confident pixels counts little.

    Args:
        logits: [B, K, h, w]; read at the label's size.
        label: [B, H, W] int64; 255 = no pseudo-label.
        confidence: [B, H, W] in [0, 1].
        threshold: tau; pixels with confidence >= tau count.

    Returns:
        [B].
    """
    # Written so that a NaN is not confident.
    label = label.masked_fill(~(confidence >= threshold), IGNORE)
    return pixel_cross_entropy(logits, label) / label[0].numel()


def soft_cross_entropy(logits: Tensor, target: Tensor, valid: Tensor, counts: Tensor) -> Tensor:
    """Cross-entropy to soft targets, mean over the valid pixels of the global batch; 0 without any.

    Args:
        logits: [B, K, h, w].
        target: [B, K, h, w] probabilities.
        valid: [B, h, w] bool, the pixels to divide by.
        counts: [B, h, w] bool; valid pixels where it is False add nothing, but stay in the divisor.
    """
    loss = -(target * logits.log_softmax(dim=1)).sum(dim=1)  # [B, h, w]
    return (loss * (valid & counts)).sum() / processes.mean(valid.sum().float()).clamp(min=1)
