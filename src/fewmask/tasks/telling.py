"""Messages about single files: the first ones are told, of the others the number."""

from collections import Counter
from collections.abc import Callable

MOST = 3
"""This many messages of a kind are told in full."""


class FirstFew:
    """Tells the first messages of each kind; `end` says how many more there were.

    Example:
        few = FirstFew(print)
        few.tell("Left out", "photo.jpg is damaged.")  # Left out: photo.jpg is damaged.
        few.end()  # of 1,000 such messages: Left out: 997 more.
    """

    def __init__(self, tell: Callable[[str], None]):
        self._tell, self._count = tell, Counter[str]()

    def tell(self, kind: str, message: str) -> None:
        """Tells a message, unless several of its kind have been told."""
        self._count[kind] += 1
        if self._count[kind] <= MOST:
            self._tell(f"{kind}: {message}")

    def end(self) -> None:
        """Says how many messages were not told."""
        for kind, count in self._count.items():
            if count > MOST:
                self._tell(f"{kind}: {count - MOST} more.")
        self._count.clear()
