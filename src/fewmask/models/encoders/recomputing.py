"""Activation checkpointing: blocks are computed again in the backward pass instead of stored."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.modules.batchnorm import _BatchNorm

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def recompute_blocks(backbone: nn.Module) -> None:
    """Keeps only the input of each block, and computes the block again in the backward pass.

    The second pass leaves BatchNorm's running statistics alone, so the result is the same.
    """
    for parent, name, block in [*_blocks(backbone)]:
        parent.add_module(name, checkpoint_wrapper(block, context_fn=partial(_two_passes, block)))


def _blocks(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """The blocks inside a module: parent, name, block."""
    for name, child in module.named_children():
        if _has_blocks(child) or not _is_composite(child):
            yield from _blocks(child)
        else:
            yield module, name, child


def _is_composite(module: nn.Module) -> bool:
    """Whether a module has several layers; wrapping single layers saves nothing."""
    return len([*module.children()]) > 2 and not isinstance(module, CONTAINERS)


def _has_blocks(module: nn.Module) -> bool:
    """Whether a module is a stage: it holds a list of blocks, or nothing but blocks of a kind."""
    children = [*module.children()]
    if len({type(child) for child in children}) == 1 and all(map(_is_composite, children)):
        return True
    return any(
        any(map(_is_composite, child.children())) or _has_blocks(child)
        if isinstance(child, CONTAINERS)
        else not _is_composite(child) and _has_blocks(child)
        for child in children
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
