"""How far a download has come, and when it is given up: too large, too long, too slow."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

SLOW_SECONDS, SLOW_BYTES = 60.0, 60_000
"""Whatever is slower, a kilobyte a second, counts as broken off."""


class Limits(NamedTuple):
    """How large a file may be, and how long its download may take."""

    bytes: int
    seconds: float


class BeyondLimits(Exception):
    """Says in words how a download is beyond its limits."""


class Bar:
    """Shows how far a download has come, and ends it at its limits."""

    def __init__(self, progress: Progress, title: str, limits: Limits | None):
        self.progress, self.task = progress, progress.add_task(title, total=None)
        self.limits, self.begin, self.done = limits, time.monotonic(), 0
        self.since, self.before = self.begin, 0

    def start(self, done: int, total: int | None) -> None:
        """Begins, or goes on."""
        self.progress.update(self.task, completed=done, total=total)
        self.done, self.since, self.before = done, time.monotonic(), done
        self._stop_at(total or 0)

    def advance(self, count: int) -> None:
        """Counts bytes that have arrived."""
        self.progress.advance(self.task, count)
        self.done += count
        self._stop_at(self.done)

    def _stop_at(self, size: int) -> None:
        now = time.monotonic()
        if now - self.since > SLOW_SECONDS:
            if self.done - self.before < SLOW_BYTES:
                raise OSError(f"fewer than {SLOW_BYTES} bytes arrived in {SLOW_SECONDS:g} seconds")
            self.since, self.before = now, self.done
        if self.limits is None:
            return
        if size > self.limits.bytes:
            raise BeyondLimits(f"is larger than {self.limits.bytes / (1 << 20):g} MiB")
        if time.monotonic() - self.begin > self.limits.seconds:
            raise BeyondLimits(f"did not arrive within {self.limits.seconds:g} seconds")


@contextmanager
def progress_bar(title: str, limits: Limits | None) -> Iterator[Bar]:
    """A bar for a download, which is shown in terminals."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    # What has limits is small, and one of many that another bar counts.
    hidden = limits is not None or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield Bar(progress, title, limits)
