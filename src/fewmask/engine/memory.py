"""How much memory a run has taken, and how a CPU keeps it from one step to the next."""

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import torch

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # glibc's names for them, from malloc.h


def keep_freed_memory() -> None:
    """Lets this process reuse the memory it frees instead of returning it to the system.

    Activations are blocks of more than 32 MiB. glibc requests each of them from the system, which
    fills its pages with zeros: up to a fifth of a training step on a CPU. Keeping them costs gaps
    between the blocks, up to a third more memory. Does nothing on systems other than Linux.
    """
    # On Windows, ctypes has no library of the process itself.
    if sys.platform == "win32":
        return
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
        mallopt(TOP_PAD, 2**28)


def forget_peak_memory(device: torch.device) -> None:
    """Starts a new maximum; on a CPU only Linux can, other systems keep that of the process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    # The number 5 resets the peak, see `man proc`. Containers may forbid it.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> float:
    """Peak memory in GiB: what torch has held on a GPU, or what this process has held on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**20
    # Windows has no resource module, so the peak stays unknown.
    if sys.platform == "win32":
        return 0.0
    import resource

    # getrusage counts bytes on macOS and KiB elsewhere.
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
