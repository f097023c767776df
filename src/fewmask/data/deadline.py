"""Ends waiting for what may never answer."""

import threading
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any, TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """The result of work that may hang, such as a look-up of a name or a server that drips bytes.

    Args:
        seconds: to wait. Then the work is left alone, in a thread that ends with the process.
        work: to be done.

    Raises:
        TimeoutError: if it takes longer.
        Exception: whatever the work raises.
    """
    done: Queue[tuple[Any, BaseException | None]] = Queue(1)

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # it is raised where the work is waited for
            done.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if error is not None:
        raise error
    found: T = result
    return found
