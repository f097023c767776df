"""Turns the padding of TensorFlow's convolutions, which follows the image's size, into a fixed one.

A layer with "same" padding computes its padding from the size it sees. As sizes in a file are
symbols, torch's exporter spends minutes on formulas of such layers. But images are padded to sizes
of one remainder, modulo the encoder's stride, and the padding depends on this remainder alone.
"""

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fewmask.models.encoders.timm_import import import_timm


@torch.no_grad()
def fix_same_padding(network: nn.Module, channels: int, side: int) -> None:
    """Replaces layers of "same" padding, in place.

    Args:
        network: in eval mode, on the CPU.
        channels: bands of an image.
        side: of an image that the layers are looked at with; has the remainder of all images.
    """
    layers = import_timm().layers
    kind = layers.Conv2dSame
    found = {name: x for name, x in network.named_modules() if isinstance(x, kind)}
    if not found:
        return
    lengths: dict[str, int] = {}
    hooks = [
        layer.register_forward_pre_hook(partial(_remember, lengths, name))
        for name, layer in found.items()
    ]
    network(torch.zeros(1, channels, side, side))
    for hook in hooks:
        hook.remove()
    for name, length in lengths.items():
        layer = found[name]
        shapes = zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)
        high, wide = (layers.get_same_padding(length, *shape) for shape in shapes)
        pad = nn.ZeroPad2d((wide // 2, wide - wide // 2, high // 2, high - high // 2))
        network.set_submodule(name, nn.Sequential(pad, _plain(layer)))


def _remember(
    lengths: dict[str, int], name: str, layer: nn.Module, arguments: tuple[Tensor, ...]
) -> None:
    lengths[name] = arguments[0].shape[-1]


def _plain(layer: Any) -> nn.Conv2d:
    """The same convolution without padding of its own."""
    plain = copy.copy(layer)
    plain.__class__ = nn.Conv2d
    plain.padding = (0, 0)
    result: nn.Conv2d = plain
    return result
