"""The weights of another run, from which a run starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from fewmask.config import trust
from fewmask.errors import UserError
from fewmask.methods import Method
from fewmask.recipes import load_run_recipe
from fewmask.run_folder import checkpoint
from fewmask.run_folder.paths import RunPaths

HEADS = ("head.", "aux_head.")
"""What the names of a segmenter's weights begin with, if they depend on the classes."""


@dataclass(frozen=True)
class InitialWeights:
    """A checkpoint to start from.

    A `last.pt` has weights for every network. A `best.pt` has those of one network, which all
    networks start from.

    Attributes:
        file: `last.pt` or `best.pt`.
        new_head: whether the head starts from random weights, for other classes.
    """

    file: Path
    new_head: bool = False

    @classmethod
    def at(cls, place: Path, new_head: bool = False) -> "InitialWeights":
        """The weights of a run folder, which are its best ones, or of a checkpoint.

        Raises:
            UserError: if they cannot be read, or have no head that can be left out.
        """
        weights = cls(RunPaths(place).best if place.is_dir() else place, new_head)
        state = checkpoint.load(weights.file)
        if new_head and "weights" not in state:
            raise UserError(
                f"--new-head needs one network, and {weights.file} holds all of a run. Give "
                f"{_best_beside(weights.file)}."
            )
        return weights

    def encoder(self) -> str:
        """The encoder of the networks, by name.

        Raises:
            UserError: if it cannot be told, because a last.pt lies outside its run folder.
        """
        state = checkpoint.load(self.file)
        recipe = RunPaths(self.file.resolve().parent.parent).recipe
        settings = state.get("model")
        encoder = settings.get("encoder") if isinstance(settings, dict) else None
        if isinstance(encoder, str):
            trust.require_trusted_checkpoint({"encoder": encoder}, self.file, recipe)
            return encoder
        if not recipe.is_file():
            raise UserError(
                f"{self.file} does not name its encoder, and lies outside its run folder. Name it: "
                "model.encoder=NAME."
            )
        return load_run_recipe(recipe).model.encoder

    def in_words(self, names: Sequence[str]) -> str:
        """What starts from where, and whether the classes are the same.

        Args:
            names: of the classes of the data.

        Raises:
            UserError: if there is another number of classes, and no new head.
        """
        said = f"All networks start from the weights in {self.file}"
        if self.new_head:
            return f"{said}, apart from a new head for {len(names)} classes."
        known = self._class_names()
        if not known or known == [*names]:
            return f"{said}."
        both = (
            f"{self.file} has {len(known)} classes ({_some(known)}), the data {len(names)} "
            f"({_some(names)})."
        )
        if len(known) != len(names):
            raise UserError(f"{both} To take all weights but those of the head: --new-head.")
        return f"{said}. {both} For a new head: --new-head."

    def _class_names(self) -> list[str]:
        """The classes of a best.pt, or of the one beside a last.pt; none if nobody knows."""
        best = _best_beside(self.file)
        for file in (self.file, best) if best.is_file() else (self.file,):
            names = checkpoint.load(file).get("class_names")
            if isinstance(names, (list, tuple)):
                return [*map(str, names)]
        return []

    def fill(self, method: Method) -> None:
        """Loads the weights into a method, which is on the CPU.

        Raises:
            UserError: if they do not fit.
        """
        state = checkpoint.load(self.file)
        if "method" in state:
            checkpoint.fill(method, state["method"], self.file)
            return
        weights = checkpoint.load(self.file, "weights")["weights"]
        for network in method.predictors().values():
            is_headless = self.new_head and isinstance(weights, dict)
            fitting = _with_head_of(network, weights) if is_headless else weights
            checkpoint.fill(network, fitting, self.file)


def _best_beside(file: Path) -> Path:
    """The best weights of the run that a checkpoint belongs to."""
    return RunPaths(file.parent.parent).best


def _with_head_of(network: nn.Module, weights: dict[str, Any]) -> dict[str, Any]:
    """Weights of a network, with the head of another one."""
    body = {name: value for name, value in weights.items() if not str(name).startswith(HEADS)}
    own = network.state_dict()
    return body | {name: value for name, value in own.items() if name.startswith(HEADS)}


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
