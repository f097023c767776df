"""What terminals show: text of files is printed as it is, and never obeyed."""

import io
import re
import sys
from typing import Any

ORDERS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # move, color, delete
    r"|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?"  # a title, the clipboard
    r"|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069]"  # the direction of writing
)
"""What a terminal would obey instead of showing it."""


def printable(text: str) -> str:
    """A text without what a terminal would obey."""
    return ORDERS.sub("", text)


class Printable:
    """A stream to which nothing but printable text gets. Rich writes its own colors past it."""

    def __init__(self, stream: Any):
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Writes what of a text is printable."""
        self.rich_proxied_file.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def make_printable() -> None:
    """Makes standard output and error print any text, in whatever encoding the terminal has."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        if stream is not None and not isinstance(stream, Printable):
            setattr(sys, name, Printable(stream))


def show(table: Any) -> None:
    """Prints a table whole, also where lines are shorter; brackets and colons are no markup."""
    from rich.console import Console

    console = Console(markup=False, emoji=False)
    console.width = max(
        console.width, Console(width=1000, markup=False, emoji=False).measure(table).maximum
    )
    console.print(table)
