"""One thing found in a data set, in words that say what to do."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

Level = Literal["error", "warning", "note"]

EXAMPLES = 3
"""Files that a finding shows."""


class Finding(NamedTuple):
    """One thing found."""

    level: Level
    what: str
    """What is so, with numbers."""
    advice: str
    """What to do; empty for notes."""
    files: tuple[str, ...] = ()
    """The files concerned, all of them."""

    def in_words(self) -> str:
        """The finding on a few lines, with some of its files."""
        shown = ", ".join(self.files[:EXAMPLES]) + (" ..." if len(self.files) > EXAMPLES else "")
        lines = [f"{self.level}: {self.what}"]
        lines += [f"    files: {shown}"] if shown else []
        lines += [f"    {self.advice}"] if self.advice else []
        return "\n".join(lines)


def names_of(files: Iterable[Path]) -> tuple[str, ...]:
    """The paths as text."""
    return tuple(str(file) for file in files)
