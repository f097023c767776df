"""Where the time of a run goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from fewmask.parts.spans import span as mark

T = TypeVar("T")
PARTS = ("data", "steps", "evaluation", "saving")


def wait_for(device: torch.device) -> None:
    """Until a GPU has done all it was told; a CPU always has."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


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
