"""How losses stay exact and calls stay cheap in a run that computes in bf16 or fp16."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor


def full_precision(like: Tensor) -> AbstractContextManager[None]:
    """Keeps products on the device of `like` in their own precision inside the context."""
    device = like.device.type
    if not torch.amp.is_autocast_available(device):  # so nothing is cast
        return nullcontext()
    return torch.autocast(device, enabled=False)


@contextmanager
def shared_casts() -> Iterator[None]:
    """Lets several calls of a network, or of its parts, use the same bf16 or fp16 weights.

    Without it each call casts the weights again, and gradients of several calls are added in
    float32 instead of bf16 or fp16. Do not change weights inside the context.
    """
    # torch empties the cache of cast weights when the outermost autocast ends; this is one more.
    torch.autocast_increment_nesting()
    try:
        yield
    finally:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()


def exact_float(device: torch.device) -> torch.dtype:
    """float64, except on Apple's GPUs (mps), which lack it; float32 counts up to 16 million."""
    return torch.float32 if device.type == "mps" else torch.float64
