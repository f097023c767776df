"""The command line of the benchmarks."""

from pathlib import Path

from benchmarks import (
    depthwise,
    encoders,
    imas,
    limits,
    loader,
    pool,
    processes,
    startup,
    steps,
    tables,
)
from benchmarks.commands import application

COMMANDS = {
    "limits": limits.measure,
    "loader": loader.measure,
    "startup": startup.measure,
    "pool": pool.measure,
    "imas": imas.measure,
    "steps": steps.measure,
    "encoders": encoders.measure,
    "depthwise": depthwise.measure,
    "processes": processes.measure,
}
app = application("benchmarks", COMMANDS, Path(__file__).parent / "results")
app.command(name="tables")(tables.update)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
