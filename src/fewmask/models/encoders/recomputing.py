"""Activation checkpointing: blocks are computed again in the backward pass instead of stored."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.modules.batchnorm import _BatchNorm


def recompute_blocks(backbone: nn.Module) -> None:
    """Keeps only the input of each block, and computes the block again in the backward pass.

    The second pass leaves BatchNorm's running statistics alone, so the result is the same.
    """
    for stage in backbone.children():
        for name, block in list(stage.named_children()):
            # A block is a stage's child with several layers; wrapping single layers saves nothing.
            if len(list(block.children())) > 2:
                stage.add_module(
                    name, checkpoint_wrapper(block, context_fn=partial(_two_passes, block))
                )


def _two_passes(block: nn.Module) -> tuple[Any, Any]:
    """The contexts of a block's forward pass and of its repetition."""
    return nullcontext(), _statistics_paused(block)


@contextmanager
def _statistics_paused(block: nn.Module) -> Iterator[None]:
    """Sets BatchNorm's momentum to 0, so that the repetition moves no running statistics.

    Switching the statistics off instead would change which tensors autograd saves, and torch
    requires both passes to save the same ones.
    """
    layers = [m for m in block.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    before = [
        (layer, layer.momentum, cast(Tensor, layer.num_batches_tracked).clone()) for layer in layers
    ]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum, count in before:
            layer.momentum = momentum
            cast(Tensor, layer.num_batches_tracked).copy_(count)
