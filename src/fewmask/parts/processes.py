"""What a loss, a metric or an optimizer needs when several processes share one global batch.

With one process every function here returns its input unchanged, so a method reads the same either
way. This is the only file that names torch.distributed.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """The index of this process; 0 when it is alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes share the work."""
    return dist.get_world_size() if dist.is_initialized() else 1


def leave() -> None:
    """Closes the connection between processes: its threads must not outlive the interpreter."""
    if dist.is_initialized():
        dist.destroy_process_group()


def total(x: Tensor) -> Tensor:
    """The sum of `x` over processes; gradients flow back to every process."""
    if world_size() == 1:
        return x
    summed: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return summed


class _Sum(torch.autograd.Function):
    """Each process contributes to every process's sum, so it receives every process's gradient."""

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


@torch.no_grad()
def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Overwrites tensors, in place, with those of the first process."""
    if world_size() == 1:
        return
    for x in tensors:
        told = x.contiguous()  # the transport refuses channels-last memory
        dist.broadcast(told, src=0)
        x.copy_(told)


class SideChannel:
    """Sums tensors in the background, while other messages go their own way.

    Messages of one channel must be sent in the same order by every process. A separate channel lets
    the gradients of a backward pass travel between the messages of its BatchNorm layers.
    """

    def __init__(self) -> None:
        self.group = dist.new_group()

    def start_total(self, x: Tensor) -> Callable[[], Any]:
        """Starts to sum a contiguous tensor over processes, in place.

        Returns:
            A function to call before `x` is read.
        """
        work = dist.all_reduce(x, group=self.group, async_op=True)
        assert work is not None
        wait: Callable[[], Any] = work.wait
        return wait
