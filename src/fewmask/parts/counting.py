"""In which numbers pixels are counted and shares worked out."""

import torch


def exact_float(device: torch.device) -> torch.dtype:
    """float64, but on Apple's GPUs (mps), which have none; float32 counts up to 16 million."""
    return torch.float32 if device.type == "mps" else torch.float64
