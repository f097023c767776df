"""How much memory a run has taken, and how a CPU keeps it from one step to the next."""

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import torch

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # glibc's names for them, from malloc.h


def keep_freed_memory() -> None:
    """Lets this process use what it frees again, instead of handing it back to the system.

    glibc maps every block of more than 32 MiB anew, and the system zeroes its pages one by one:
    up to a fifth of a training step on a CPU, where activations are such blocks. The price is
    gaps between what is kept: up to a third more memory. Elsewhere than on Linux nothing happens.
    """
    if sys.platform == "win32":  # there ctypes has no library of the process itself
        return
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
        mallopt(TOP_PAD, 2**28)


def forget_peak_memory(device: torch.device) -> None:
    """Starts a new maximum; off a GPU only Linux can, elsewhere it stays the process's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> float:
    """GiB: of the GPU what torch has held at most, of a CPU what this process has."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**20
    if sys.platform == "win32":  # it has no resource module, and the peak stays unknown
        return 0.0
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
