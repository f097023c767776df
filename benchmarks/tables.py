"""Writes the tables and pictures of the README and the docs from the stored results."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import headlines, papers
from benchmarks.record import Figure, Result, described, read
from fewmask import atomic

ROOT = Path(__file__).parents[1]
RESULTS = ("benchmarks/results", "experiments/results")
PAGES = (
    "README.md",
    "docs/benchmarks.md",
    "docs/experiments.md",
    "docs/networks.md",
    "docs/reproduce.md",
    "docs/scaling.md",
)
TABLES = {**headlines.TABLES, **papers.TABLES}
"""Those that choose figures from several results, or from recipes."""
WIDTH = 118
"""Characters in a line of prose."""
REGION = re.compile(r"<!-- generated: (\S+) -->\n.*?<!-- end generated -->", re.DOTALL)
"""What lies between these two comments belongs to this file."""


def update(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a page differs.")
    ] = False,
    root: Annotated[Path, typer.Option(help="The checkout.", show_default=False)] = ROOT,
) -> None:
    """Write the tables and pictures of the README and the docs from the stored results."""
    try:
        results = stored(root)
        new = {page: render((root / page).read_text(encoding="utf-8"), results) for page in PAGES}
        by_name = {result.file_name: result for result in results}
        new |= {name: draw(by_name) for name, draw in headlines.PICTURES.items()}
    except (KeyError, ValueError, OSError) as error:
        raise SystemExit(f"Cannot make the tables: {error}") from error
    changed = [name for name, text in new.items() if not _holds(root / name, text)]
    if check and changed:
        raise SystemExit(
            f"{', '.join(changed)}: tables or pictures differ from the stored results. "
            "Run `make tables`, and change figures in the JSON files only."
        )
    for name in changed:
        atomic.write_text(root / name, new[name])
        print(f"updated: {name}")


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def stored(root: Path = ROOT) -> list[Result]:
    """All results in the repository, in an order that does not depend on the file system."""
    files = [file for folder in RESULTS for file in (root / folder).glob("*.json")]
    results = [read(file) for file in files]
    return sorted(results, key=lambda result: (result.name, result.variant, result.machine_slug))


def render(page: str, results: Sequence[Result]) -> str:
    """The page with all its generated regions written again.

    Raises:
        ValueError: if a region names something that has no results.
    """

    def region(match: re.Match[str]) -> str:
        name = match[1]
        content = _content(name, results)
        return f"<!-- generated: {name} -->\n\n{content}\n\n<!-- end generated -->"

    return REGION.sub(region, page)


def _content(name: str, results: Sequence[Result]) -> str:
    if name in TABLES:
        return TABLES[name]({result.file_name: result for result in results})
    found = [result for result in results if result.name == name]
    if not found:
        known = sorted({result.name for result in results} | {*TABLES})
        raise ValueError(f"no stored result is named {name}. Known names: {', '.join(known)}.")
    return "\n\n".join(section(result) for result in found)


def section(result: Result) -> str:
    """One result: how it was measured, then its tables."""
    rounds = "" if result.rounds is None else f", {result.rounds} rounds"
    machine = described(result.machine, result.versions)
    caption = f"`{result.command}`{rounds}, {result.date}: {machine}."
    lines = textwrap.fill(caption, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n\n".join([lines, *(_table(group) for group in groups(result.figures))])


def groups(figures: Iterable[Figure]) -> list[list[Figure]]:
    """Splits figures into tables: subjects that share a quantity share a table."""
    tables: list[list[Figure]] = []
    for figure in figures:
        fits = (
            table
            for table in tables
            if any(figure.subject == f.subject or figure.quantity == f.quantity for f in table)
        )
        table = next(fits, None)
        if table is None:
            tables.append([figure])
        else:
            table.append(figure)
    return tables


def _table(figures: Sequence[Figure]) -> str:
    """One row per subject, one column per quantity."""
    subjects = list(dict.fromkeys(figure.subject for figure in figures))
    quantities = list(dict.fromkeys(figure.quantity for figure in figures))
    units = {q: {f.unit for f in figures if f.quantity == q} for q in quantities}
    cells = {f[:2]: number(f, with_unit=len(units[f.quantity]) > 1) for f in figures}
    heads = [
        f"{q} ({unit})" if len(units[q]) == 1 and (unit := min(units[q])) else q for q in quantities
    ]
    rows = [[s, *(cells.get((s, q), "") for q in quantities)] for s in subjects]
    return headlines.markdown(["", *heads], rows)


def number(figure: Figure, with_unit: bool) -> str:
    """A value as it is stored: rounding happened when it was measured."""
    return f"{figure.value:,} {figure.unit if with_unit else ''}".rstrip()
