"""A run on disk: its recipe, data, networks and scores, each opened once."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from fewmask.data import Data, Dataset
from fewmask.errors import UserError
from fewmask.evaluation.predictor import Predictor
from fewmask.recipes import Recipe, load_run_recipe
from fewmask.run_folder.paths import RunPaths, not_a_run
from fewmask.run_folder.result import NetworkScore, Result, read_result
from fewmask.run_folder.subsets import own_val
from fewmask.run_folder.tables import steps_in
from fewmask.runs.build import open_data
from fewmask.runs.predictors import best_predictor, predictor_of


def _say_nothing(note: str) -> None:
    """Drops notes on decisions that the user has already seen during training."""


SAME_IMAGES = {"range", "in_memory", "cache", "long_side", "pool", "pool_disk_gb", "image_labels"}
"""Options of `data` that change how validation images are read, but not which ones they are."""


class Run:
    """A run on disk. Its recipe and its data are read on first use, and then kept.

    Args:
        folder: the run folder.
        changes: nested settings that replace those of the run, for example to evaluate differently.
        needs_unlabeled: whether the unlabeled images are needed. If not, they are not checked, and
            a pool is not opened.
        data: the data of the run, if they are already open.
        tell: receives notes on what was decided while opening the data.

    Example:
        run = Run.open("runs/photos-fewmatch-001")
        run.scores["teacher"].miou
        run.network("teacher").predict(image).mask
    """

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, Any] | None = None,
        needs_unlabeled: bool = False,
        data: Data | None = None,
        tell: Callable[[str], None] = _say_nothing,
    ):
        self.folder, self.paths = folder, RunPaths(folder)
        self._changes, self._needs_unlabeled = changes or {}, needs_unlabeled
        self._given_data, self._tell = data, tell

    @classmethod
    def open(
        cls,
        folder: Path | str,
        changes: Mapping[str, Any] | None = None,
        needs_unlabeled: bool = False,
        data: Data | None = None,
        tell: Callable[[str], None] = _say_nothing,
    ) -> Self:
        """Opens a run folder; the arguments are those of the class.

        Raises:
            UserError: if the folder is not a run folder.
        """
        run = cls(Path(folder), changes, needs_unlabeled, data, tell)
        if not run.paths.recipe.is_file():
            raise UserError(not_a_run(run.folder))
        return run

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def __getstate__(self) -> dict[str, Any]:
        # The processes of an evaluation get the open run; what is printed may not be sendable.
        return {**self.__dict__, "_tell": _say_nothing}

    @cached_property
    def recipe(self) -> Recipe:
        """All settings, including the changes."""
        return load_run_recipe(self.paths.recipe, self._changes)

    @cached_property
    def data(self) -> Data:
        """The images as they are today, after checking their files."""
        return self._given_data or open_data(self.recipe, self._needs_unlabeled, self._tell)

    @cached_property
    def val(self) -> Dataset:
        """The validation images of the run, or those of other data if the changes name any."""
        names_other_data = self._changes.get("data", {}).keys() - SAME_IMAGES
        return self.data.val if names_other_data else own_val(self.paths, self.data)

    def network(self, name: str = "best", accelerator: str | None = None) -> Predictor:
        """A trained network, ready to predict.

        Args:
            name: `best`, or a network of the last checkpoint: `student`, `teacher` ...
            accelerator: auto, cpu, cuda or mps; by default, that of the recipe.

        Raises:
            UserError: if there is no such network.
        """
        accelerator = accelerator or self.recipe.machine.accelerator
        if name == "best":
            return best_predictor(self.paths.best, accelerator)
        return predictor_of(self.paths, self.recipe, name, accelerator)

    @property
    def result(self) -> Result:
        """The scores and facts of the run so far.

        Raises:
            UserError: if nothing was evaluated yet.
        """
        return read_result(self.folder)

    @property
    def scores(self) -> Mapping[str, NetworkScore]:
        """The scores of each network, the main one first; empty before the first evaluation.

        Raises:
            UserError: if the tables of the run are damaged.
        """
        return self.result.networks if self.paths.results.is_file() else {}

    @property
    def is_finished(self) -> bool:
        """Whether the run has been scored and saved after its last planned step."""
        try:
            result = self.result
        except UserError:  # it stopped before its first evaluation
            return False
        # A row of times follows each checkpoint. Without it, a kill may have left an older one.
        saved = steps_in(self.paths.times)
        is_saved = not saved or result.steps in saved
        return is_saved and result.steps == result.planned_steps


def open_runs(folders: Sequence[Path], changes: Mapping[str, Any] | None = None) -> list[Run]:
    """Opens several runs. Runs on the same data share it, so that it is opened only once.

    Args:
        folders: the run folders.
        changes: nested settings that replace those of each run.

    Raises:
        UserError: if a folder is not a run folder.
    """
    runs: list[Run] = []
    for folder in folders:
        run = Run.open(folder, changes)
        for other in runs:
            if _on_same_data(other, run):
                run.data = other.data
                break
        runs.append(run)
    return runs


def _on_same_data(one: Run, other: Run) -> bool:
    ours, theirs = one.recipe, other.recipe
    # The number of bands is an option of the model, but decides how images are read.
    return ours.data == theirs.data and ours.model.in_channels == theirs.model.in_channels


def load_network(run: Path, name: str = "best", accelerator: str = "auto") -> Predictor:
    """Loads a network of a run folder, or the one in a `best.pt` file.

    Args:
        run: the run folder or the file.
        name: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        accelerator: auto, cpu, cuda or mps.

    Raises:
        UserError: if there is no such run or network.
    """
    if not run.is_file() and run.suffix != ".pt":
        return Run.open(run).network(name, accelerator)
    if name != "best":
        raise UserError(
            f"{run} holds one network. To use '{name}', give the run folder instead of the file."
        )
    return best_predictor(run, accelerator)
