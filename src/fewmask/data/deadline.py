"""Ends waiting for what may never answer."""

import threading
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any, TypeVar

T = TypeVar("T")


class NoAnswer(TimeoutError):
    """Work was given up. It may still go on, so what it writes must not be written anew."""


def within(seconds: float, work: Callable[[], T], position: Callable[[], int] = lambda: 0) -> T:
    """The result of work that may hang, such as a look-up of a name or a server that drips bytes.

    Args:
        seconds: to wait. Then the work is left alone, in a thread that ends with the process.
        work: to be done.
        position: how far it has come. As long as that changes, it may go on.

    Raises:
        NoAnswer: if it takes longer.
        Exception: whatever the work raises.
    """
    done: Queue[tuple[Any, BaseException | None]] = Queue(1)

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # it is raised where the work is waited for
            done.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    result, error = _awaited(done, seconds, position)
    if error is not None:
        raise error
    found: T = result
    return found


def _awaited(done: Queue[T], seconds: float, position: Callable[[], int]) -> T:
    while True:
        before = position()
        try:
            return done.get(timeout=seconds)
        except Empty:
            if position() == before:
                raise NoAnswer(f"no answer within {seconds:g} seconds") from None
