"""Runs what is timed in its own process, as a training run would."""

import multiprocessing
from collections.abc import Callable
from typing import Any, Self


class Isolated:
    """An object that lives in its own process, so that its memory and threads are its own.

    Args:
        build: makes the object there.
        words: the arguments of `build`.

    Example:
        with Isolated(Step, "imas", words, folder) as step:
            milliseconds = 1000 * step.apply(Step.seconds, 5)
    """

    def __init__(self, build: Callable[..., Any], *words: Any):
        self.executor = multiprocessing.get_context("spawn").Pool(1)
        # Building through `apply` brings an error back here; an initializer would retry forever.
        self.executor.apply(_build, (build, *words))

    def apply(self, function: Callable[..., Any], *words: Any) -> Any:
        """Calls `function` with the object and further arguments, and returns the answer."""
        return self.executor.apply(_apply, (function, *words))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Ends the process."""
        self.executor.terminate()
        self.executor.join()


_built: Any


def _build(build: Callable[..., Any], *words: Any) -> None:
    # A global of the child process: the object itself cannot be sent back and forth.
    global _built
    _built = build(*words)


def _apply(function: Callable[..., Any], *words: Any) -> Any:
    return function(_built, *words)
