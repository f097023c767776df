"""How long work has taken, and how long it will still take."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from fewmask.engine.wording import duration

MARKS = 60
"""Moments that the recent pace is taken from."""
MARK_SECONDS = 0.5
"""Seconds between two of them at least, so that the pace of fast work is no lottery."""


class Pace:
    """Counts what is done, and estimates by the recent pace when all of it will be.

    The first item says nothing about the others: it waits for files and for a device to warm up.

    Args:
        total: how many items there are: steps, images.
        done: how many of them were done before.
        pause_every: items between two pauses, such as evaluations; there is one at the end, too.
            None: no pauses.
    """

    def __init__(self, total: int, done: int = 0, pause_every: int | None = None):
        self.total, self.done, self.pause_every = total, done, pause_every
        self.start = self.latest = time.perf_counter()
        self.marks: deque[tuple[int, float]] = deque(maxlen=MARKS)
        self.pauses, self.paused_seconds = 0, 0.0

    def reach(self, done: int) -> None:
        """Notes that so many items are done by now."""
        if done == self.done:
            return
        self.done, self.latest = done, time.perf_counter() - self.paused_seconds
        if not self.marks or self.latest >= self.marks[-1][1] + MARK_SECONDS:
            self.marks.append((done, self.latest))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves the time inside out of the pace; the estimate counts the pauses to come."""
        start = time.perf_counter()
        yield
        self.paused_seconds += time.perf_counter() - start
        if self.pause_every is not None:
            self.pauses += self.done == self.total or self.done % self.pause_every == 0

    @property
    def seconds_seen(self) -> float:
        """Seconds that the recent pace is taken from."""
        return self.latest - self.marks[0][1] if self.marks else 0.0

    @property
    def seconds_each(self) -> float | None:
        """Seconds for one item of late; None before the second one."""
        if not self.marks or self.marks[0][0] == self.done:
            return None
        return self.seconds_seen / (self.done - self.marks[0][0])

    def seconds_left(self) -> float | None:
        """Seconds to the end; None if nobody knows yet."""
        each = self.seconds_each
        if each is None:
            return None
        one_pause = self.paused_seconds / max(1, self.pauses)
        return each * (self.total - self.done) + one_pause * self._pauses_left()

    def in_words(self) -> str:
        """Such as `after 4 min 10 s, about 1 h 20 min left`."""
        words = f"after {duration(time.perf_counter() - self.start)}"
        left = self.seconds_left()
        if left is None or self.done == self.total:
            return words
        # How long an evaluation takes is known after the first one.
        more = ", plus evaluations" if self._pauses_left() and not self.pauses else ""
        return f"{words}, about {duration(left)} left{more}"

    def _pauses_left(self) -> int:
        if self.pause_every is None or self.done == self.total:
            return 0
        at_end = self.total % self.pause_every != 0
        return self.total // self.pause_every - self.done // self.pause_every + at_end
