"""Measures where the time of a run goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from fewmask.parts.spans import span

T = TypeVar("T")
ACTIVITIES = ("data", "steps", "evaluation", "saving")


def wait_for(device: torch.device) -> None:
    """Waits until a GPU has finished its work; a CPU never has work left."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


class Stopwatch:
    """Sums seconds by activity until they are taken.

    A GPU works on its own, so the seconds of its steps count where the program waits for it: at
    the next log line, which belongs to `steps`.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(ACTIVITIES, 0.0)
        self.current = ""  # the activity in progress

    @contextmanager
    def measure(self, activity: str) -> Iterator[None]:
        """Counts the time inside; `activity` is one of `ACTIVITIES`."""
        start, self.current = time.perf_counter(), activity
        with span(activity):
            yield
        self.current = ""
        self.seconds[activity] += time.perf_counter() - start

    def waiting(self, batches: Iterable[T]) -> Iterator[T]:
        """Passes batches through, and counts the time until each one arrives."""
        batches = iter(batches)
        while True:
            with self.measure("data"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def take(self) -> dict[str, float]:
        """Seconds by activity since the last call."""
        seconds, self.seconds = self.seconds, dict.fromkeys(ACTIVITIES, 0.0)
        return seconds
