"""Turns functions that measure into commands that keep their figures."""

import functools
import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.record import Figure, Result, described, machine, slug, versions

Measure = Callable[..., Iterator[list[Figure]]]
"""Yields the figures of one subject after the other."""


def application(package: str, commands: Mapping[str, Measure], results: Path) -> typer.Typer:
    """A command line with one command per benchmark.

    Args:
        package: the package that `python -m` runs.
        commands: what measures, by name of the command.
        results: the folder for the JSON files.
    """

    def keep(result: Result | None, keep: bool, results: Path) -> None:
        if keep and result is not None:
            print(f"Written: {result.write(results)}. To update the pages: make tables")

    app = typer.Typer(add_completion=False, no_args_is_help=True, result_callback=keep)

    @app.callback(help=f"Measure, print the figures and keep them in {package}/results.")
    def _options(
        keep: Annotated[bool, typer.Option(help="Write the figures to a JSON file.")] = True,
        results: Annotated[
            Path, typer.Option(help="The folder for JSON files.", show_default=False)
        ] = results,
    ) -> None:
        pass

    for name, measure in commands.items():
        app.command(name=name)(recorded(package, name, measure))
    return app


def recorded(package: str, name: str, measure: Measure) -> Callable[..., Result]:
    """The same function, which prints its figures as they come and returns them as a result."""

    @functools.wraps(measure)
    def run(**options: Any) -> Result:
        print(described(machine(), versions()), flush=True)
        figures: list[Figure] = []
        for row in measure(**options):
            values = ", ".join(f"{f.quantity} {f.value:,} {f.unit}".rstrip() for f in row)
            print(f"{row[0].subject}: {values}", flush=True)
            figures += row
        return _result(package, name, measure, options, figures)

    return run


def _result(
    package: str, name: str, measure: Measure, options: Mapping[str, Any], figures: list[Figure]
) -> Result:
    parameters = inspect.signature(measure).parameters
    chosen = {
        key: value for key, value in options.items() if value not in (None, parameters[key].default)
    }
    # More rounds measure the same more precisely, and a folder for runs changes nothing. What is
    # required is never a choice.
    variant = [
        key if isinstance(value, Path) else _words(key, value)
        for key, value in chosen.items()
        if key not in ("rounds", "out") and parameters[key].default is not inspect.Parameter.empty
    ]
    command = [f"python -m {package} {name}", *(_words(*item) for item in chosen.items())]
    return Result(
        name=name,
        variant=slug(*variant),
        command=" ".join(command),
        date=date.today().isoformat(),
        rounds=options.get("rounds"),
        settings={key: _public(key, value) for key, value in options.items() if key != "rounds"},
        machine=machine(),
        versions=versions(),
        figures=tuple(figures),
    )


def _words(key: str, value: Any) -> str:
    """An option as it is typed; arguments (lists) have no name."""
    if isinstance(value, list | tuple):
        return shlex.join(value)
    option = f"--{key.replace('_', '-')}"
    return option if value is True else f"{option} {shlex.quote(str(_public(key, value)))}"


def _public(key: str, value: Any) -> Any:
    """Where a data set lies is nobody's business: a path becomes the name of its option."""
    return key.upper() if isinstance(value, Path) else value
