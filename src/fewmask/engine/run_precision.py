"""Networks that compute in the precision of the run, called as a whole or in parts."""

import copy
import copyreg
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import Precision
from torch import nn


class _Depth(threading.local):
    """How many calls with an autocast of the run are open in this thread."""

    value = 0


_depth = _Depth()


def compute_in_run_precision(
    network: nn.Module, fabric: Fabric, converts_results: bool = False
) -> None:
    """Lets a network compute in bf16 or fp16 whenever it, or one of its parts, is called.

    The class of each module is replaced by a subclass of the same name: `isinstance` still holds,
    names in the state dict stay the same, and deep copies of the network behave like it. A pickle
    holds the original classes, so that `torch.save(network)` can be read anywhere.

    Two levels can be called on their own: children of the network (`student.encoder`) and their
    children (`student.encoder.backbone`). A call of a module further inside computes in the
    precision of its input, unless you open an autocast around it.

    An autocast that a module disables inside its `forward` stays disabled for the modules that it
    calls. Around an outermost call, `torch.autocast(..., enabled=False)` has no effect, because
    torch does not tell it from no autocast at all.

    Each outermost call has its own autocast, so that its cache of cast weights never outlives an
    update of the weights; see `parts.precision.shared_casts` for several calls with one cache.

    Args:
        network: with its final modules (SyncBatchNorm in place).
        fabric: knows the precision.
        converts_results: whether a call of the whole network returns float32 tensors.
    """
    precision, device = fabric.strategy.precision, fabric.device.type
    with precision.forward_context():
        if not torch.is_autocast_enabled(device):  # fp32: there is nothing to cast
            return
    for part in {*_entry_points(network)} - {network}:
        part.__class__ = _casting(type(part), precision, device, converts=False)
    network.__class__ = _casting(type(network), precision, device, converts_results)


def _entry_points(network: nn.Module) -> Iterator[nn.Module]:
    """A network, its parts (encoder, decoder, head ...), and their parts."""
    yield network
    for part in network.children():
        yield part
        yield from part.children()


def _casting(
    kind: type[nn.Module], precision: Precision, device: str, converts: bool
) -> type[nn.Module]:
    """A subclass whose calls open the autocast of the run, unless one is open already."""

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        # Inside a call, a module may have disabled autocast on purpose.
        if torch.is_autocast_enabled(device) or _depth.value:
            return kind.__call__(self, *args, **kwargs)
        with _deeper(), precision.forward_context():
            result = kind.__call__(self, *args, **kwargs)
        return precision.convert_output(result) if converts else result

    def reduce(self: nn.Module, protocol: Any) -> Any:
        # Nobody can import a class that is made here.
        with _as_kind(self, kind):
            reduced: Any = self.__reduce_ex__(protocol)
        create, *rest = reduced
        # pickle refuses this function for any class but that of `self`.
        is_usual = create is copyreg.__newobj__  # type: ignore[attr-defined]
        return (object.__new__ if is_usual else create, *rest)

    def deepcopy(self: nn.Module, memo: dict[int, Any]) -> nn.Module:
        casting = type(self)
        with _as_kind(self, kind):
            twin = copy.deepcopy(self, memo)
        twin.__class__ = casting
        return twin

    own = {"__call__": call, "__reduce_ex__": reduce, "__deepcopy__": deepcopy}
    return type(
        kind.__name__, (kind,), {**own, "__module__": kind.__module__, "__doc__": kind.__doc__}
    )


@contextmanager
def _deeper() -> Iterator[None]:
    """Counts a call with an autocast of the run."""
    _depth.value += 1
    try:
        yield
    finally:
        _depth.value -= 1


@contextmanager
def _as_kind(module: nn.Module, kind: type[nn.Module]) -> Iterator[None]:
    """Gives a module its original class for a moment."""
    casting = module.__class__
    module.__class__ = kind
    try:
        yield
    finally:
        module.__class__ = casting
