"""The few words a loss or a metric needs when several processes share one global batch.

With one process every function here hands its input back, so a method reads the same either way.
This is the only file that names torch.distributed.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """The number of this process, 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes share the work."""
    return dist.get_world_size() if dist.is_initialized() else 1


def leave() -> None:
    """Ends what joins the processes: its threads must not outlive the interpreter."""
    if dist.is_initialized():
        dist.destroy_process_group()


def total(x: Tensor) -> Tensor:
    """The sum of `x` over processes; gradients flow back to every process."""
    if world_size() == 1:
        return x
    summed: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return summed


class _Sum(torch.autograd.Function):
    """Every process adds to everyone's sum, so everyone's gradient comes back to it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        summed = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradients[0])


def mean(x: Tensor) -> Tensor:
    """The mean of `x` over processes."""
    return total(x) / world_size()


@torch.no_grad()
def gather(x: Tensor) -> Tensor:
    """Joins `x` of every process along its first dimension, in order of rank; no gradient."""
    if world_size() == 1:
        return x
    x = x.contiguous()
    pieces = [torch.empty_like(x) for _ in range(world_size())]
    dist.all_gather(pieces, x)
    return torch.cat(pieces)


def own(x: Tensor) -> Tensor:
    """This process's share of a gathered tensor: the inverse of `gather`."""
    return x.chunk(world_size())[rank()]
