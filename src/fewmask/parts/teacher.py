"""The teacher: an exponential moving average of the student's weights and buffers."""

import copy
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fewmask.batch import Progress
from fewmask.parts.spans import span

HALF = (torch.bfloat16, torch.float16)


class Teacher(nn.Module):
    """A frozen copy of a network that follows it by exponential moving average (EMA).

    Its weights are float32, also if the network's are bf16 or fp16. It stays in eval mode: no
    dropout, and BatchNorm uses running statistics, which are averaged like the weights. In short
    runs weights change faster than such statistics follow. With `batch_statistics` BatchNorm
    normalizes by the current batch, and its running statistics follow that batch, as in U2PL's
    second forward pass of the teacher.

    Args:
        network: to copy.
        batch_statistics: whether BatchNorm uses the statistics of the batch.

    Source: Tarvainen & Valpola, Mean teachers are better role models, NeurIPS 2017, eq. (1).

    Example:
        teacher = Teacher(student)
        teacher.update(student, decay=0.996)
        logits = teacher(images).upsampled_logits
    """

    def __init__(self, network: nn.Module, batch_statistics: bool = False):
        super().__init__()
        # The statistics of a frozen layer stay as they are.
        self.norms = [
            name
            for name, layer in network.named_modules()
            if batch_statistics and isinstance(layer, _BatchNorm) and _is_trained(layer)
        ]
        self.network = copy.deepcopy(network).requires_grad_(False)
        _widen(self.network)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Keeps eval mode: a teacher is never in training mode."""
        return super().train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Lets `to` change the device, but not the weights to half precision."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        _widen(self.network)
        return self

    @torch.no_grad()
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the averaged network, without gradients."""
        args, kwargs = tuple(map(_wide, args)), {key: _wide(x) for key, x in kwargs.items()}
        # By name, as BatchNorm over processes replaces the layers.
        for name in self.norms:
            self.network.get_submodule(name).train()
        result = self.network(*args, **kwargs)
        if self.norms:
            self.network.eval()
        return result

    @torch.no_grad()
    def update(self, student: nn.Module, decay: float) -> None:
        """Moves towards the student: theta_t <- decay theta_t + (1 - decay) theta_s.

        Args:
            student: the network to follow; same architecture.
            decay: in [0, 1]; 0 copies the student. Integer buffers are always copied.
        """
        follow(tensors(self.network), tensors(student), decay)


def _is_trained(layer: _BatchNorm) -> bool:
    return layer.weight is None or layer.weight.requires_grad


@torch.no_grad()
def follow(ours: list[Tensor], theirs: list[Tensor], decay: float) -> None:
    """Moves tensors towards others, in place: ours <- decay ours + (1 - decay) theirs.

    Integers (BatchNorm's counters) are copied.
    """
    assert [x.shape for x in ours] == [x.shape for x in theirs], (
        "the networks differ in architecture"
    )
    with span("EMA"):
        _lerp(ours, theirs, 1 - decay)


def _lerp(ours: list[Tensor], theirs: list[Tensor], share: float) -> None:
    floating = [i for i, x in enumerate(ours) if x.is_floating_point()]
    targets = [theirs[i].to(ours[i].dtype) for i in floating]
    if floating:  # torch refuses an empty list
        torch._foreach_lerp_([ours[i] for i in floating], targets, share)
    for mine, new in zip(ours, theirs, strict=True):
        if not mine.is_floating_point():
            mine.copy_(new)


def _widen(network: nn.Module) -> None:
    """Makes weights and buffers of half precision float32, in place.

    A step of 1 - decay is too small for half precision: most weights would never move.
    """
    for x in tensors(network):
        if x.dtype in HALF:
            x.data = x.data.float()


def _wide(x: Any) -> Any:
    """A tensor of half precision as float32, and anything else as it is."""
    return x.float() if isinstance(x, Tensor) and x.dtype in HALF else x


def tensors(network: nn.Module) -> list[Tensor]:
    """Parameters and buffers: everything that makes two networks of one architecture differ."""
    return [*network.parameters(), *network.buffers()]


def ramped_decay(updates: int, decay: float) -> float:
    """A decay that starts as a plain average: min(1 - 1/(n + 1), decay), n = updates so far.

    The first update (n = 0) copies.
    """
    return min(1 - 1 / (updates + 1), decay)


def ema_decay(progress: Progress, decay: float, copy_steps: int) -> float:
    """The decay of iMAS and AugSeg: 0 for `copy_steps` steps, then min(1 - 1/n, decay).

    n counts steps as their released code does, from one epoch before the copying ends.
    """
    since_copying = progress.step - copy_steps
    if since_copying < 0:
        return 0.0
    return ramped_decay(since_copying + progress.steps_per_epoch, decay)
