"""One problem found in a data set, with advice on what to do."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

Level = Literal["error", "warning", "note"]

EXAMPLES = 3
"""How many files a finding shows."""


class Finding(NamedTuple):
    """One problem, or one fact worth knowing."""

    level: Level
    what: str
    """What was found, with numbers."""
    advice: str
    """What to do. It is empty for some notes."""
    files: tuple[str, ...] = ()
    """All files concerned."""

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
