"""The runs of a comparison in words: which are done, which are to come, and how long they take."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from fewmask.engine.wording import duration
from fewmask.run_folder.paths import RunPaths
from fewmask.runs.run import Run


class Planned(NamedTuple):
    """A run of a comparison, whether it is there or not."""

    method: str
    seed: int
    folder: Path

    @property
    def paths(self) -> RunPaths:
        """The files of the run."""
        return RunPaths(self.folder)

    @property
    def is_done(self) -> bool:
        """Whether the run is there, and finished."""
        return self.paths.recipe.is_file() and Run.open(self.folder).is_finished

    @property
    def minutes(self) -> float:
        """How long the run took, all its parts together."""
        return sum(Run.open(self.folder).result.seconds.values()) / 60

    def in_words(self) -> str:
        """The run, and how far it is."""
        begun = " (begun)" if self.paths.recipe.is_file() and self.paths.last.is_file() else ""
        return f"{self.method} seed {self.seed}{' (done)' if self.is_done else begun}"


class Plan:
    """Says where a comparison stands.

    Args:
        runs: in the order of training.

    Example:
        Plan([Planned("imas", 0, out / "imas-seed0")]).in_words()  # 1 run: imas seed 0 (done)
    """

    def __init__(self, runs: Sequence[Planned]):
        self.runs = runs

    def in_words(self) -> str:
        """All runs, and how far each of them is."""
        runs = ", ".join(run.in_words() for run in self.runs)
        return f"{len(self.runs)} run{'s' if len(self.runs) > 1 else ''}: {runs}"

    def before(self, number: int) -> str:
        """The heading of a run, given by its number from 0."""
        run = self.runs[number]
        return f"run {number + 1} of {len(self.runs)}: {run.method}, seed {run.seed}"

    def after(self, number: int) -> str:
        """The score and the minutes of a finished run, then what is still to come."""
        run = self.runs[number]
        network, score = next(iter(Run.open(run.folder).scores.items()))
        lines = [
            f"{run.method}, seed {run.seed}: mIoU {score.miou:.1f} ({network}, after the last "
            f"step), {duration(60 * run.minutes)}"
        ]
        return "\n".join(lines + self._to_come(number))

    def _to_come(self, number: int) -> list[str]:
        """The runs that are still to come; how long, where a run of the same method is done."""
        parts = []
        left = [run for run in self.runs[number + 1 :] if not run.is_done]
        for method in dict.fromkeys(run.method for run in left):
            count = sum(run.method == method for run in left)
            done = [run.minutes for run in self.runs if run.method == method and run.is_done]
            time = f", about {duration(60 * count * mean(done))}" if done else ""
            parts.append(f"{count} of {method}{time}")
        return [f"still to come: {'; '.join(parts)}"] if parts else []
