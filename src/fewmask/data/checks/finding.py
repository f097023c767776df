"""One problem found in a data set, with advice on what to do."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fewmask.data.dataset import Dataset
from fewmask.errors import UserError

Level = Literal["error", "warning", "note"]

EXAMPLES = 3
"""How many files a finding shows."""
MOST_PAIRS = 12
"""With more values or colors, an option is too long to be read, or typed."""


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


def option(name: str, value: Mapping[Any, int], can_be_drafted: bool = True) -> str:
    """An option of the data with its value, as a command line takes it.

    A long value is left to the draft that `fewmask check` writes, or cut.
    """
    if len(value) <= MOST_PAIRS:
        text = json.dumps(value) if any(isinstance(key, str) for key in value) else str(value)
        return f"data.{name}='{text}'"
    if can_be_drafted:
        return f"data.{name}, which fewmask check DATA --write data.yaml drafts"
    return f"data.{name} with all {len(value)} of them"


def file_of(dataset: Dataset, index: int) -> Path:
    """The file of an image, or the name of one that is no file."""
    return dataset.file(index) or Path(dataset.names[index])


def names_of(files: Iterable[Path]) -> tuple[str, ...]:
    """The paths as text."""
    return tuple(str(file) for file in files)


def require_no_error(findings: Iterable[Finding]) -> None:
    """Raises the first error among the findings as a UserError."""
    for finding in findings:
        if finding.level == "error":
            raise UserError(f"{finding.what} {finding.some_files()} {finding.advice}")
