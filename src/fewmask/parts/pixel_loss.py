"""Losses of every pixel, with their gradient computed during the forward pass."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from fewmask.batch import IGNORE
from fewmask.parts.resizing import Strip, narrow, strips, widen

OfStrip = Callable[[Tensor, Strip], Tensor]
"""The loss of each pixel, [B, rows, W], of the logits [B, K, rows, W] of a strip."""


def pixel_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of every labeled pixel, times its weight, summed over each image.

    The same as `F.cross_entropy(resize(logits), target, ignore_index=255, reduction="none")` times
    the weights, summed. But logits are enlarged strip by strip: softmax, loss and gradient of a
    strip are computed while it is in the cache, and only the gradient at the logits' own size is
    kept for the backward pass.

    Args:
        logits: [B, K, h, w].
        target: [B, H, W] int64, 0..K-1 or 255 = no label.
        weight: [B, H, W]; 1 by default. No gradient flows to it.

    Returns:
        [B].
    """

    def of_strip(values: Tensor, strip: Strip) -> Tensor:
        label = target[:, strip.rows]
        return F.cross_entropy(values, label, ignore_index=IGNORE, reduction="none")

    return _summed(logits, of_strip, target.shape, weight)


def pixel_squared_difference(
    logits: Tensor, target: Tensor, pasted: Tensor, boxes: Tensor, weight: Tensor
) -> Tensor:
    """Squared difference of probabilities, summed over classes and, weighted, over each image.

    Args:
        logits: [B, K, h, w].
        target: [B, K, h, w], whose softmax at the size of the boxes is the target outside of them.
        pasted: [B, K, h, w], the same inside the boxes.
        boxes: [B, H, W] bool.
        weight: [B, H, W]. No gradient flows to it, nor to the targets.

    Returns:
        [B].
    """
    wide, wide_pasted = (widen(x.detach().float(), boxes.shape[2]) for x in (target, pasted))

    def of_strip(values: Tensor, strip: Strip) -> Tensor:
        inside = boxes[:, None, strip.rows]
        wanted = torch.where(inside, strip.of(wide_pasted), strip.of(wide)).softmax(dim=1)
        return (values.softmax(dim=1) - wanted).square().sum(dim=1)

    return _summed(logits, of_strip, boxes.shape, weight)


def _summed(logits: Tensor, of_strip: OfStrip, shape: torch.Size, weight: Tensor | None) -> Tensor:
    logits = logits.float() if torch.is_grad_enabled() else logits.detach().float()
    sums: Tensor = _PixelLoss.apply(logits, of_strip, shape, weight)  # type: ignore[no-untyped-call]
    return sums


class _PixelLoss(torch.autograd.Function):
    """The plain formula on each strip, and its gradient while the strip is at hand."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, of_strip: OfStrip, shape: torch.Size, weight: Tensor | None
    ) -> Tensor:
        wide = widen(logits, shape[2])
        per_pixel = wide.new_empty(shape)
        share = torch.ones_like(per_pixel) if weight is None else weight
        gradient = torch.zeros_like(wide) if ctx.needs_input_grad[0] else None
        for strip in strips(wide, shape[1]):
            values = strip.of(wide).requires_grad_(gradient is not None)  # [B, K, rows, W]
            with torch.enable_grad():
                loss = of_strip(values, strip)
            per_pixel[:, strip.rows] = loss.detach()
            if gradient is not None:
                (of_logits,) = torch.autograd.grad(loss, values, share[:, strip.rows])
                strip.give_back(of_logits, gradient)
        ctx.save_for_backward(None if gradient is None else narrow(gradient, logits.shape[3]))
        return (per_pixel * share).sum(dim=(1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream.view(-1, 1, 1, 1), None, None, None
