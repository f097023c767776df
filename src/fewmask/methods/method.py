"""The contract of a method: the networks one algorithm keeps, and the step it repeats."""

import abc
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fewmask.batch import LOGGED_BY_TRAINER, Batch, Labeled, Progress, StepReport, Views
from fewmask.config import BaseConfig
from fewmask.errors import UserError
from fewmask.models import Output, Segmenter
from fewmask.parts.pseudo_labels import PseudoLabel


class Minimize(Protocol):
    """How a loss is minimized; whoever trains a method hands it to `step`."""

    def __call__(self, loss: Tensor, over: nn.Module) -> bool:
        """Takes one gradient step that reduces `loss`.

        Precision, backward pass, accumulation, clipping, optimizer, learning rate and averaging
        over processes all happen behind this call.

        Args:
            loss: 0-d tensor.
            over: the network whose weights move, one of those named in `Method.trains`. No other
                network receives a gradient, except those that are trained together with it.

        Returns:
            True if the weights moved, False if the gradient was only accumulated.
        """


class Method(nn.Module, abc.ABC):
    """The networks one algorithm keeps, and the step it repeats. docs/extending.md shows examples.

    Keep everything that must survive a checkpoint in parameters or buffers of the method. A method
    knows nothing of files, devices or processes. Draw random numbers inside `step` from torch's
    global generator, which the trainer seeds with (seed, step).

    Networks stay the plain modules you made. In `step` you may call them as a whole, or in parts:
    `stages = self.student.encoder(images)`, then `self.student.decode(stages, size)`. The run's
    precision and the averaging of gradients over processes apply either way.

    Args:
        create_network: builds a network for the data set. Each call draws new random weights, so
            two calls give two different networks; pretrained weights of the encoder are the same.
        config: this method's `Config`.
    """

    class Config(BaseConfig):
        """Hyper-parameters; the defaults are the paper's."""

        name: str
        """A built-in name (supervised, imas, pcr ...), or your class as package.module:Class."""

    student: Segmenter

    trains: tuple[str | tuple[str, ...], ...] = ("student",)
    """Attributes that hold the networks to train, one optimizer each. A tuple names modules that
    one optimizer trains together; a step over any of them moves all of them."""

    constant_rates: tuple[str, ...] = ()
    """Those of them whose learning rates stay as they are, whatever the schedule."""

    views: Views | None = None
    """The views of unlabeled images that `step` uses; None for labeled images only."""

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__()
        self.student = create_network()
        self.config = config
        self._layout = _layout(self.student)

    def prepare(self, labeled: Iterable[Labeled], progress: Progress) -> None:
        """Called before each step, for what needs more than one batch; does nothing by default.

        Args:
            labeled: one pass over the labeled set in weak views, on the method's device; images are
                read only while you iterate over it.
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
            The values to log.
        """

    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel | None:
        """The labels that `step` would now use for such unlabeled images.

        An evaluation compares them with the masks of validation images. It never trains on them,
        and restores the buffers of the method afterwards.

        Args:
            weak: [B, 3, H, W], normalized.
            valid: [B, H, W] bool, False on padding.

        Returns:
            Labels [B, H, W], 255 where a pixel would not be used, and their confidence; None for a
            method without pseudo-labels.
        """
        return None

    def predictors(self) -> dict[str, nn.Module]:
        """The networks to evaluate, by name.

        The first one is the result of training, saved in `best.pt`. It must be a network that
        `create_network` returned, or a copy of one, without additional parameters. The others may
        be any modules that turn images into an `Output`.
        """
        return {"student": self.student}

    @classmethod
    def trained_together(cls) -> list[tuple[str, ...]]:
        """`trains` with each entry as a tuple of attributes."""
        return [(names,) if isinstance(names, str) else names for names in cls.trains]

    def require_contract(self, image: Tensor) -> None:
        """Refuses, before training starts, what would fail only at the first evaluation.

        Args:
            image: [1, C, H, W], any normalized image of the size that training uses.

        Raises:
            UserError: if `trains` or `predictors` do not keep the contract.
        """
        name = type(self).__name__
        if not self.trains or not all(self.trained_together()):
            raise UserError(
                f"{name}.trains = {self.trains!r} leaves an optimizer without a network. Name at "
                "least one attribute, such as ('student',)."
            )
        for attribute in (word for names in self.trained_together() for word in names):
            if not isinstance(getattr(self, attribute, None), nn.Module):
                raise UserError(
                    f"{name}.trains names '{attribute}', but the method has no network of that "
                    "name. Assign one in __init__, or correct `trains`."
                )
        predictors = self.predictors()
        if not isinstance(predictors, dict) or not predictors:
            raise UserError(
                f"{name}.predictors() returned {predictors!r}. Return a dictionary with at least "
                "one network, such as {'student': self.student}."
            )
        (first, network), *others = predictors.items()
        self._require_best(first, network)
        for other, network in others:
            _require_output(f"{name}.predictors()['{other}']", network, image)

    def _require_best(self, name: str, network: Any) -> None:
        """Refuses a first predictor that `best.pt` could not be loaded into."""
        problem = ""
        if not isinstance(network, Segmenter):
            problem = f"it is a {type(network).__name__}, not a Segmenter"
        elif layout := set(_layout(network).items()) ^ set(self._layout.items()):
            problem = f"it differs in '{min(layout)[0]}'"
        if problem:
            raise UserError(
                f"{type(self).__name__}.predictors()['{name}'] is the first predictor, the one "
                f"that best.pt holds, so it must be a network as create_network() makes it, but "
                f"{problem}. Return such a network first, and keep further modules as attributes "
                "of the method."
            )


def require_report(report: Any, method: Method) -> StepReport:
    """The result of `step`.

    Raises:
        UserError: if it is not a `StepReport`, or holds something that cannot be logged.
    """
    step = f"{type(method).__name__}.step()"
    if not isinstance(report, StepReport):
        raise UserError(
            f"{step} returned {_described(report)}, but a step returns a "
            "fewmask.batch.StepReport, such as StepReport({'labeled': loss.detach()})."
        )
    _require_free_names(step, report)
    for name, value in report.by_name().items():
        _require_loggable(f"{step} reported '{name}'", value)
    return report


def _require_free_names(step: str, report: StepReport) -> None:
    """Refuses scalars that would replace other logged values, or be replaced by them."""
    own = replace(report, scalars={}).by_name()
    if taken := report.scalars.keys() & {*LOGGED_BY_TRAINER, *own}:
        raise UserError(
            f"{step} reported a scalar '{min(taken)}', but another logged value has this name. "
            "Choose another name."
        )


def _require_loggable(what: str, value: Any) -> None:
    """Refuses what is no tensor, and a tensor whose gradient would keep its whole step alive."""
    if not isinstance(value, Tensor):
        raise UserError(
            f"{what} as {_described(value)}, but every value is a tensor. Report the tensor "
            "itself, such as loss.detach(), without .item()."
        )
    if value.requires_grad:
        raise UserError(
            f"{what} as a tensor with gradient, which keeps the activations of the step in "
            "memory. Report value.detach()."
        )


def _layout(network: nn.Module) -> dict[str, torch.Size]:
    """Names and shapes of everything that a checkpoint holds."""
    return {name: x.shape for name, x in network.state_dict().items()}


@torch.no_grad()
def _require_output(what: str, network: Any, image: Tensor) -> None:
    """Refuses a predictor that does not turn an image into an `Output`."""
    expected = "A predictor is an nn.Module that turns images [B, C, H, W] into an Output"
    if not isinstance(network, nn.Module):
        raise UserError(f"{what} is {_described(network)}. {expected}.")
    if isinstance(network, Segmenter):
        return
    modes = {module: module.training for module in network.modules()}
    try:
        output = network.eval()(image)  # in eval mode a call changes no statistics
    except Exception as error:  # a user's module fails in any way it likes
        raise UserError(
            f"{what} failed on an image {[*image.shape]} with {type(error).__name__}: {error}. "
            f"{expected} of fewmask.models."
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
    if not isinstance(output, Output):
        raise UserError(f"{what} returned {_described(output)}. {expected} of fewmask.models.")


def _described(value: Any) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"
