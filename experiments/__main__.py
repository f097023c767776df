"""The command line of the experiments."""

from pathlib import Path

from benchmarks.commands import application
from experiments import animals, camvid, curves, ranking, scenes

COMMANDS = {
    "scenes": scenes.measure,
    "animals": animals.measure,
    "camvid": camvid.measure,
    "curves": curves.measure,
    "ranking": ranking.measure,
}
app = application("experiments", COMMANDS, Path(__file__).parent / "results")


if __name__ == "__main__":
    app(prog_name="python -m experiments")
