"""The contract of a method: the networks one algorithm keeps, and the step it repeats."""

import abc
from collections.abc import Callable, Iterable
from typing import Protocol

from torch import Tensor, nn

from fewmask.batch import Batch, Labeled, Progress, StepReport, Views
from fewmask.config import BaseConfig
from fewmask.models import Segmenter
from fewmask.parts.pseudo_labels import PseudoLabel


class Minimize(Protocol):
    """How a loss is minimized: handed to a method by whoever trains it."""

    def __call__(self, loss: Tensor, over: nn.Module) -> bool:
        """Takes one gradient step that reduces `loss`.

        Precision, backward, accumulation, clipping, optimizer, learning rate and averaging over
        processes happen behind this call.

        Args:
            loss: 0-d tensor.
            over: the network whose weights move, one of those named in `Method.trains`. No other
                network receives a gradient.

        Returns:
            True if the weights moved, False if the gradient was only accumulated.
        """


class Method(nn.Module, abc.ABC):
    """The networks one algorithm keeps, and the step it repeats.

    Whatever must survive a checkpoint is a parameter or a buffer of the method. A method knows
    nothing of files, devices or processes; randomness inside `step` comes from torch's global
    generator, which the trainer seeds with (seed, step).

    Args:
        create_network: builds a network for the data set. Each call draws new random weights, so
            two calls give two different networks.
        config: this method's `Config`.

    Example:
        See `fewmask/methods/supervised.py`, the smallest one, and docs/extending.md.
    """

    class Config(BaseConfig):
        """Hyper-parameters; the defaults are the paper's."""

        name: str
        """The method: a word we know (supervised, imas, pcr ...) or package.module:Class."""

    student: Segmenter

    trains: tuple[str, ...] = ("student",)
    """Attributes that hold the networks with an optimizer."""

    views: Views | None = None
    """The views of unlabeled images that `step` uses; None for labeled images only."""

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__()
        self.student = create_network()
        self.config = config

    def prepare(self, labeled: Iterable[Labeled], progress: Progress) -> None:
        """Called before each step, for what needs more than one batch; does nothing by default.

        Args:
            labeled: one pass over the labeled set in weak views, on the method's device; nothing is
                read unless it is iterated.
            progress: how far training is.
        """

    @abc.abstractmethod
    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """Does one gradient step.

        Args:
            batch: normalized floats on the method's device.
            minimize: does the gradient step; see `Minimize`.
            progress: how far training is.

        Returns:
            What to log.
        """

    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel | None:
        """What `step` would teach of such unlabeled images now; None, if nothing.

        Only looked at while training is watched, never trained on; the state of the method is put
        back afterwards.

        Args:
            weak: [B, 3, H, W], normalized.
            valid: [B, H, W] bool, False on padding.

        Returns:
            Labels [B, H, W], 255 where a pixel would not be used, and their confidence.
        """
        return None

    def predictors(self) -> dict[str, nn.Module]:
        """The networks to evaluate, by name; the first is the one to use, saved as best."""
        return {"student": self.student}
