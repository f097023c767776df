"""The command line of the benchmarks."""

import typer

from benchmarks import imas, limits, loader, pool, processes, ranking, startup, steps

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
app.command(name="steps")(steps.main)
app.command(name="imas")(imas.main)
app.command(name="limits")(limits.main)
app.command(name="loader")(loader.main)
app.command(name="startup")(startup.main)
app.command(name="pool")(pool.main)
app.command(name="processes")(processes.main)
app.command(name="ranking")(ranking.main)


@app.callback()
def _more_than_one_command() -> None:
    """Measure ours beside a reference, in one run, and print medians and ratios."""


if __name__ == "__main__":
    app()
