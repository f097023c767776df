"""Where the time of a run goes, and how much memory it takes."""

import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import torch

from fewmask.parts.marks import part as mark

T = TypeVar("T")
PARTS = ("data", "steps", "evaluation", "saving")


class Stopwatch:
    """Sums seconds by part, until they are taken.

    On a GPU the seconds of a step count where the program waits for them: at the next log line,
    which is part of `steps`.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.current = ""  # the part that is going on

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Counts what happens inside; `part` is one of `PARTS`."""
        start, self.current = time.perf_counter(), part
        with mark(part):
            yield
        self.current = ""
        self.seconds[part] += time.perf_counter() - start

    def waiting(self, batches: Iterable[T]) -> Iterator[T]:
        """Hands the batches on, and counts the time until each one is there."""
        batches = iter(batches)
        while True:
            with self.measure("data"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def take(self) -> dict[str, float]:
        """Seconds by part since the last call."""
        seconds, self.seconds = self.seconds, dict.fromkeys(PARTS, 0.0)
        return seconds


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
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
