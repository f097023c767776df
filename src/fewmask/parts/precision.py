"""Where bf16, fp16, or float32, would not do."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(like: Tensor) -> AbstractContextManager[None]:
    """Within it no product on the device of `like` is cast to the run's bf16 or fp16."""
    device = like.device.type
    if not torch.amp.is_autocast_available(device):  # so nothing is cast
        return nullcontext()
    return torch.autocast(device, enabled=False)


def exact_float(device: torch.device) -> torch.dtype:
    """float64, but on Apple's GPUs (mps), which have none; float32 counts up to 16 million."""
    return torch.float32 if device.type == "mps" else torch.float64
