"""Curves for TensorBoard, in the folder tb/ of a run."""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from fewmask.engine.sinks.sink import Sink, Table
from fewmask.errors import UserError
from fewmask.evaluation import Scores
from fewmask.run_folder.paths import RunPaths


class TensorBoard(Sink):
    """Writes event files; show them with `tensorboard --logdir runs`."""

    def __init__(self, config: Sink.Config):
        super().__init__(config)
        # Training must not start if it would have to stop here.
        if importlib.util.find_spec("tensorboard") is None:
            raise UserError(
                "logging.sinks=tensorboard needs the package tensorboard, which is not installed. "
                "Install it with: pip install 'fewmask[tensorboard]'"
            )
        self.writer: Any = None

    def open(self, paths: RunPaths, first_step: int) -> None:
        """Opens a new event file, and hides the events of later steps in older files."""
        from torch.utils.tensorboard import SummaryWriter

        purge = first_step + 1 if first_step else None
        self.writer = SummaryWriter(paths.tensorboard, purge_step=purge)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Draws each metric under its own name."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def scores(self, step: int, network: str, scores: Scores, class_names: Sequence[str]) -> None:
        """Draws the mIoU of a network."""
        self.scalars(step, {f"miou/{network}": scores.miou})

    def rows(self, table: Table, rows: Sequence[Mapping[str, str | float]]) -> None:
        """Draws the quality of the pseudo-labels; the other tables are no curves."""
        for row in rows if table == "pseudo_labels" else ():
            values = {f"pseudo/{name}": float(row[name]) for name in row if name != "step"}
            self.scalars(int(row["step"]), values)

    def close(self) -> None:
        """Writes what is still in memory."""
        if self.writer is not None:
            self.writer.close()
