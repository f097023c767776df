"""Cross-entropy per pixel, with its gradient computed during the forward pass."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from fewmask.batch import IGNORE
from fewmask.parts.resizing import narrow, strips, widen


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
    logits = logits.float() if torch.is_grad_enabled() else logits.detach().float()
    sums: Tensor = _PixelCrossEntropy.apply(logits, target, weight)  # type: ignore[no-untyped-call]
    return sums


class _PixelCrossEntropy(torch.autograd.Function):
    """The plain formula on each strip, and its gradient while the strip is at hand."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        wide = widen(logits, target.shape[2])
        per_pixel = wide.new_empty(target.shape)
        share = torch.ones_like(per_pixel) if weight is None else weight
        gradient = torch.zeros_like(wide) if ctx.needs_input_grad[0] else None
        for strip in strips(wide, target.shape[1]):
            values = strip.of(wide).requires_grad_(gradient is not None)  # [B, K, rows, W]
            label = target[:, strip.rows]
            with torch.enable_grad():
                loss = F.cross_entropy(values, label, ignore_index=IGNORE, reduction="none")
            per_pixel[:, strip.rows] = loss.detach()
            if gradient is not None:
                (of_strip,) = torch.autograd.grad(loss, values, share[:, strip.rows])
                strip.give_back(of_strip, gradient)
        ctx.save_for_backward(None if gradient is None else narrow(gradient, logits.shape[3]))
        return (per_pixel * share).sum(dim=(1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream.view(-1, 1, 1, 1), None, None
