"""Networks that compute in the precision of the run, called as a whole or in parts."""

from collections.abc import Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import Precision
from torch import nn


def compute_in_run_precision(
    network: nn.Module, fabric: Fabric, converts_results: bool = False
) -> None:
    """Lets a network compute in bf16 or fp16 whenever it, or one of its parts, is called.

    The class of each module is replaced by a subclass of the same name: `isinstance` still holds,
    names in the state dict stay the same, and copies of the network behave like it.

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
        if torch.is_autocast_enabled(device):
            return kind.__call__(self, *args, **kwargs)
        with precision.forward_context():
            result = kind.__call__(self, *args, **kwargs)
        return precision.convert_output(result) if converts else result

    own = {"__call__": call, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), own)
