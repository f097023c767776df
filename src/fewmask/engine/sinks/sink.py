"""The contract of a sink: a place that receives everything a run logs."""

from collections.abc import Mapping, Sequence
from typing import Literal

from fewmask.config import BaseConfig
from fewmask.evaluation import Scores
from fewmask.run_folder.paths import RunPaths

Table = Literal["hardness", "pseudo_labels", "pseudo_shares", "times"]
"""The tables that grow row by row; `RunPaths` says what each one holds."""


class Sink:
    """Receives what a run logs. Override what you need; every method does nothing by default.

    Every process of a run creates its sinks, but only the first one opens and calls them. So a sink
    never has to know about other processes. A dry run creates sinks without opening them.

    Args:
        config: this sink's `Config`.

    Raises:
        UserError: if something that the sink needs is missing, such as a package. Sinks are created
            before training starts, so the user learns of it at once.

    Example:
        See `fewmask/engine/sinks/tensorboard.py` and docs/extending.md.
    """

    class Config(BaseConfig):
        """Options of a sink; most have none."""

        name: str
        """The sink: a built-in one (tensorboard) or package.module:Class."""

    def __init__(self, config: Config):
        self.config = config

    def open(self, paths: RunPaths, first_step: int) -> None:
        """Starts to log a run.

        Args:
            paths: the paths of the run folder.
            first_step: the number of steps already taken. A resumed run takes all later steps
                again, so a sink that can should drop what it holds of them.
        """

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Receives the training metrics since the last call: losses, learning rate, speed ...

        Args:
            step: steps taken.
            values: averages over steps and processes, by name.
        """

    def scores(self, step: int, network: str, scores: Scores, class_names: Sequence[str]) -> None:
        """Receives the scores of one network on the validation images."""

    def rows(self, table: Table, rows: Sequence[Mapping[str, str | float]]) -> None:
        """Receives new rows of a table; each row has a `step`, and floats are not rounded."""

    def text(self, line: str) -> None:
        """Receives a line that the run also prints."""

    def close(self) -> None:
        """Ends logging, also after an error."""
