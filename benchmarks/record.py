"""Keeping what a benchmark printed, with date, machine and command, in docs/benchmarks.md."""

import io
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import date
from pathlib import Path
from typing import TextIO

from fewmask.runs.files import environment

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def machine() -> str:
    """Processor, threads, GPU, system and torch, in one line."""
    env = environment()
    gpu = "" if env["cuda device"] == "none" else f", {env['cuda device']}"
    system = f"{platform.system()} {platform.machine()}, Python {env['python']}"
    return f"{_processor()}, {env['cpu threads']} threads{gpu}; {system}, torch {env['torch']}"


@contextmanager
def recorded(command: list[str], page: Path | None = None) -> Iterator[None]:
    """Appends what is printed to a page, under date, command and machine, unless it fails.

    Args:
        command: the words after `python -m benchmarks`.
        page: a Markdown file; docs/benchmarks.md by default.
    """
    twice = _Twice(sys.stdout)
    with redirect_stdout(twice):
        yield
    title = f"### {date.today()}, `python -m benchmarks {shlex.join(command)}`"
    with (page or PAGE).open("a", encoding="utf-8") as file:
        file.write(f"\n{title}\n\n```\n{twice.kept.getvalue().rstrip()}\n```\n")


class _Twice(io.TextIOBase):
    """Writes to a stream and keeps a copy."""

    def __init__(self, stream: TextIO):
        self.stream, self.kept = stream, io.StringIO()

    def write(self, text: str) -> int:
        self.kept.write(text)
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


def _processor() -> str:
    """Its name where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
