"""One problem found in a data set, with advice on what to do."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from fewmask.errors import UserError

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
        lines = [f"{self.level}: {self.what}"]
        lines += [f"    {self.some_files()}"] if self.files else []
        lines += [f"    {self.advice}"] if self.advice else []
        return "\n".join(lines)

    def some_files(self) -> str:
        """Some of the files, after a word that says so."""
        return f"files: {', '.join(self.files[:EXAMPLES])}" + " ..." * (len(self.files) > EXAMPLES)


def listed(things: Iterable[object], most: int = 12) -> str:
    """The things with commas; of many, the first ones and how many there are."""
    words = [str(thing) for thing in things]
    return ", ".join(words[:most]) + (f" ... ({len(words)} in all)" if len(words) > most else "")


def names_of(files: Iterable[Path]) -> tuple[str, ...]:
    """The paths as text."""
    return tuple(str(file) for file in files)


def require_no_error(findings: Iterable[Finding]) -> None:
    """Raises the first error among the findings as a UserError."""
    for finding in findings:
        if finding.level == "error":
            raise UserError(f"{finding.what} {finding.some_files()} {finding.advice}")
