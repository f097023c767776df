"""Cross-entropy per pixel, with its gradient worked out on the way."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fewmask.batch import IGNORE
from fewmask.parts.resizing import resize, strips


def pixel_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of every labeled pixel, times its weight, summed over each image.

    The same as `F.cross_entropy(resize(logits), target, ignore_index=255, reduction="none")` times
    the weights, summed, but logits are enlarged in strips that are used up on the spot: softmax,
    loss and gradient of a strip follow each other in the cache, and only the gradient at the
    logits' own height is kept for the backward pass.

    Args:
        logits: [B, K, h, w].
        target: [B, H, W] int64, 0..K-1 or 255 = no label.
        weight: [B, H, W]; 1 by default. No gradient flows to it.

    Returns:
        [B].
    """
    wide = resize(logits.float(), (logits.shape[2], target.shape[2]))
    sums: Tensor = _PixelCrossEntropy.apply(wide, target, weight)  # type: ignore[no-untyped-call]
    return sums


class _PixelCrossEntropy(torch.autograd.Function):
    """Its gradient, weight (softmax - one-hot), takes little more than the loss itself."""

    @staticmethod
    def forward(ctx: Any, wide: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        sums = wide.new_zeros(len(wide))
        gradient = torch.zeros_like(wide) if ctx.needs_input_grad[0] else None
        for strip in strips(wide, target.shape[1]):
            label = target[:, strip.rows]
            unlabeled = label == IGNORE
            index = label.masked_fill(unlabeled, 0).unsqueeze(1)  # [B, 1, rows, W]
            share = 1.0 if weight is None else weight[:, strip.rows]
            values = strip.of(wide)  # [B, K, rows, W]
            values -= values.amax(dim=1, keepdim=True)
            of_label = values.gather(1, index).squeeze(1)
            total = values.exp_().sum(dim=1)
            loss = (total.log() - of_label).mul_(share).masked_fill_(unlabeled, 0)
            sums += loss.sum(dim=(1, 2))
            if gradient is not None:
                share = torch.ones_like(total).mul_(share).masked_fill_(unlabeled, 0)
                values *= (share / total).unsqueeze(1)
                values.scatter_add_(1, index, -share.unsqueeze(1))
                strip.give_back(values, gradient)
        ctx.save_for_backward(gradient)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream.view(-1, 1, 1, 1), None, None
