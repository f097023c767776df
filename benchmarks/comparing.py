"""Times two ways of doing the same thing, in turn."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from benchmarks.record import Value


class Comparison(NamedTuple):
    """Medians over the rounds."""

    ours: float
    """Seconds."""
    reference: float
    """Seconds."""
    speedup: float
    """The median of the ratios within rounds: a slow moment of the machine slows both sides."""

    def values(self) -> dict[str, Value]:
        """As figures of a subject."""
        return {
            "ours": (1000 * self.ours, "ms"),
            "reference": (1000 * self.reference, "ms"),
            "speedup": (self.speedup, "x"),
        }


def compare(ours: Callable[[], Any], reference: Callable[[], Any], rounds: int) -> Comparison:
    """Times both sides in turn, after one round to warm up."""
    pairs = [(seconds(ours), seconds(reference)) for _ in range(rounds + 1)][1:]
    a, b = (median(side) for side in zip(*pairs, strict=True))
    return Comparison(a, b, median(theirs / own for own, theirs in pairs))


def seconds(call: Callable[[], Any]) -> float:
    """The time of one call."""
    # Threads of the call before spin for a while, waiting for work, and would take a core.
    time.sleep(0.05)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
