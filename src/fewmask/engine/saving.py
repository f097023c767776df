"""What a run saves while it trains: `last.pt` to resume from, `best.pt` to predict with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fewmask.engine.divergence import refuse_nan_weights
from fewmask.engine.minimizer import Minimizer
from fewmask.errors import UserError
from fewmask.evaluation import Scores
from fewmask.methods import Method
from fewmask.parts import processes
from fewmask.run_folder import checkpoint
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.val_images import write_val_images


def load_last(paths: RunPaths, method: Method) -> dict[str, Any]:
    """Reads the last checkpoint of a run and restores the networks of its method.

    Returns:
        The checkpoint: its step, best scores, and the state of the minimizer.

    Raises:
        UserError: if there is no checkpoint, or it does not fit.
    """
    state = checkpoint.load(paths.last, "method", "minimizer", "step", "best")
    checkpoint.fill(method, state["method"], paths.last)
    return state


def restore(minimizer: Minimizer, state: dict[str, Any], file: Path) -> None:
    """Restores the optimizers and the learning rate of a run.

    Raises:
        UserError: if the checkpoint does not hold them.
    """
    try:
        minimizer.load_state_dict(state)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{file} does not hold the optimizers of this run ({type(error).__name__}: {error}). "
            "It is damaged, or of another recipe. Restore it, or train again."
        ) from None


@dataclass
class Checkpoints:
    """Writes the checkpoints of a run; only the first process does."""

    paths: RunPaths
    method: Method
    minimizer: Minimizer
    card: dict[str, Any]
    """Plain values that `best.pt` carries, so that it can be used without the recipe."""
    best: dict[str, float] = field(default_factory=dict)
    """Best mIoU so far, by network."""

    def save_last(self, step: int) -> None:
        """Saves everything that is needed to resume exactly.

        Raises:
            UserError: if a weight is not finite, or there is no room.
        """
        # Every process checks: if one failed alone, the others would wait for it forever.
        refuse_nan_weights(self.method, step)
        if processes.rank() == 0:
            state = {
                "step": step,
                "best": self.best,
                "method": self.method.state_dict(),
                "minimizer": self.minimizer.state_dict(),
            }
            checkpoint.save(state, self.paths.last)

    def save_evaluation(self, step: int, all_scores: Mapping[str, Scores]) -> None:
        """Saves the main network if it was never better, and notes the best score of each one.

        How the main network did on each validation image is saved too.

        Args:
            step: steps taken.
            all_scores: of each network, the main one first.
        """
        main = next(iter(all_scores))
        images = all_scores[main].images
        if processes.rank() == 0 and images is not None:
            write_val_images(self.paths, step, main, images)
        if all_scores[main].miou > self.best.get(main, -math.inf):
            self._save_best(step, main, all_scores[main].miou)
        for name, scores in all_scores.items():
            self.best[name] = max(scores.miou, self.best.get(name, -math.inf))

    def _save_best(self, step: int, network: str, miou: float) -> None:
        if processes.rank() == 0:
            state = {
                **self.card,
                "network": network,
                "step": step,
                "miou": miou,
                "weights": self.method.predictors()[network].state_dict(),
            }
            checkpoint.save(state, self.paths.best)
