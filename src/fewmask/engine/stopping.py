"""What Ctrl-C and SIGTERM do to a run: it finishes the step in progress, saves and ends."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

import torch

from fewmask.parts import processes

ASK_SECONDS, ASK_EVERY = 2.0, 10
"""Several processes ask one another whether to stop after so many seconds, or sooner after so many
steps."""
END_AFTER = 5.0
"""Seconds that child processes have to end after a second signal."""


class StopSignals:
    """Notes a stop signal, so that training can end after the step in progress.

    A second signal of the same kind stops at once.

    Args:
        device: where processes exchange numbers.
    """

    def __init__(self, device: torch.device):
        self.device, self.received = device, list[int]()
        # The step of the last question, when it was asked, and the step of the next one.
        self.asked: int | None = None
        self.since, self.ask_at = time.monotonic(), 0

    @property
    def number(self) -> int:
        """The signal to stop for; SIGTERM if another process has received it."""
        return self.received[0] if self.received else signal.SIGTERM

    def listen(self) -> AbstractContextManager[None]:
        """A context in which stop signals are noted instead of ending the program."""
        return _handlers({signal.SIGINT: self._receive, signal.SIGTERM: self._receive})

    def agree_to_stop(self, step: int) -> bool:
        """Whether any process has received a signal; all processes get the same answer."""
        if processes.world_size() == 1:
            return bool(self.received)
        # Each question makes the host wait for the device, so processes do not ask every step.
        if step < self.ask_at:
            return False
        now = time.monotonic()
        seconds = 0.0 if self.asked is None else (now - self.since) / (step - self.asked)
        facts = torch.tensor([float(bool(self.received)), seconds], device=self.device)
        received, seconds = processes.total(facts).tolist()
        # From the sum over processes, so that all of them ask again at the same step.
        wait = int(ASK_SECONDS * processes.world_size() / max(seconds, 1e-9)) if seconds else 1
        self.asked, self.since, self.ask_at = step, now, step + min(ASK_EVERY, max(1, wait))
        return bool(received > 0)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            # A kill has ended the run. Nothing may be saved: another process may continue it now.
            os._exit(1)
        if number in self.received:
            raise KeyboardInterrupt
        self.received.append(number)


@contextmanager
def signals_reach_children() -> Iterator[list[int]]:
    """A context that keeps the parent alive while child processes react to a stop signal.

    Yields the signals received. They are passed on as SIGTERM: Ctrl-C in a terminal has reached the
    children already, which stop at once only for a second signal of one kind.
    """
    received: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for child in multiprocessing.active_children():
            child.terminate()
        if len(received) == 2:
            # A process that waits for another one on a GPU would not notice.
            end = threading.Timer(END_AFTER, _kill_children)
            end.daemon = True
            end.start()

    with _handlers({signal.SIGTERM: pass_on, signal.SIGINT: pass_on}):
        yield received


def _kill_children() -> None:
    for child in multiprocessing.active_children():
        child.kill()


@contextmanager
def _handlers(wanted: Mapping[signal.Signals, Any]) -> Iterator[None]:
    """Handles signals in another way, and restores the former handlers afterwards."""
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
