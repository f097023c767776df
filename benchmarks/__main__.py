"""The command line of the benchmarks."""

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from benchmarks import imas, limits, loader, pool, processes, ranking, record, startup, steps

app = typer.Typer(add_completion=False, no_args_is_help=True)
app.command(name="steps")(steps.main)
app.command(name="imas")(imas.main)
app.command(name="limits")(limits.main)
app.command(name="loader")(loader.main)
app.command(name="startup")(startup.main)
app.command(name="pool")(pool.main)
app.command(name="processes")(processes.main)
app.command(name="ranking")(ranking.main)


@app.callback()
def _measure(
    context: typer.Context,
    keep: Annotated[
        bool, typer.Option(help="Append what is printed to docs/benchmarks.md.")
    ] = True,
) -> None:
    """Measure ours beside a reference, in one run, and print medians and ratios."""
    context.with_resource(record.recorded(sys.argv[1:]) if keep else nullcontext())
    print(record.machine(), flush=True)


if __name__ == "__main__":
    app()
