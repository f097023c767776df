"""Something to time, in a process of its own, as a run has it."""

import multiprocessing
from collections.abc import Callable
from typing import Any, Self


class Apart:
    """Builds something in a process of its own, and does things with it there.

    Args:
        build: makes it.
        words: what `build` takes.
    """

    def __init__(self, build: Callable[..., Any], *words: Any):
        self.pool = multiprocessing.get_context("spawn").Pool(1)
        self.pool.apply(_build, (build, *words))  # an error comes back from here

    def apply(self, function: Callable[..., Any], *words: Any) -> Any:
        """What `function` says of it, given further words."""
        return self.pool.apply(_apply, (function, *words))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Ends the process."""
        self.pool.terminate()
        self.pool.join()


_built: Any


def _build(build: Callable[..., Any], *words: Any) -> None:
    global _built
    _built = build(*words)


def _apply(function: Callable[..., Any], *words: Any) -> Any:
    return function(_built, *words)
