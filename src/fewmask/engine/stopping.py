"""What Ctrl-C and SIGTERM do to a run: it finishes the step in progress, saves and ends."""

import multiprocessing
import signal
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

import torch

from fewmask.parts import processes

ASK_EVERY = 10
"""Steps after which several processes ask one another whether to stop."""


class StopSignals:
    """Notes a stop signal, so that training can end after the step in progress.

    A second signal stops at once.

    Args:
        device: where processes exchange numbers.
    """

    def __init__(self, device: torch.device):
        self.device, self.is_received = device, False

    def listen(self) -> AbstractContextManager[None]:
        """A context in which stop signals are noted instead of ending the program."""
        return _handlers({signal.SIGINT: self._receive, signal.SIGTERM: self._receive})

    def agree_to_stop(self, step: int) -> bool:
        """Whether any process has received a signal; all processes get the same answer."""
        if processes.world_size() == 1:
            return self.is_received
        # Each question makes the host wait for the device, so processes do not ask every step.
        if step % ASK_EVERY:
            return False
        received = torch.tensor(float(self.is_received), device=self.device)
        return bool(processes.total(received) > 0)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.is_received:
            raise KeyboardInterrupt
        self.is_received = True


def signals_reach_children() -> AbstractContextManager[None]:
    """A context that keeps the parent alive while child processes react to a stop signal.

    SIGTERM is passed on, so that the children can save. Ctrl-C reaches them without help.
    """
    return _handlers({signal.SIGTERM: _pass_on, signal.SIGINT: lambda number, frame: None})


def _pass_on(number: int, frame: FrameType | None) -> None:
    for child in multiprocessing.active_children():
        child.terminate()


@contextmanager
def _handlers(wanted: Mapping[signal.Signals, Any]) -> Iterator[None]:
    """Handles signals in another way, and restores the former handlers afterwards."""
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
