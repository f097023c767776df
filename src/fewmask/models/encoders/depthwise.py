"""Layers of torch and timm that take the fast backward pass of `depthwise_gradients`.

Importing this file imports timm, which takes seconds.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.models.encoders.depthwise_gradients import Geometry, Pair, convolve
from fewmask.models.encoders.timm_import import import_timm

timm_layers = import_timm().layers


class FastDepthwise(nn.Conv2d):
    """A depthwise convolution with a fast backward pass on CPUs; everywhere else a plain one."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if torch.jit.is_scripting() or not self._is_trained_on(input):  # type: ignore[attr-defined]
            return F.conv2d(
                input, weight, bias, self.stride, self.padding, self.dilation, self.groups
            )
        return convolve(input, weight, bias, self._geometry())

    @torch.jit.unused
    def _is_trained_on(self, input: Tensor) -> bool:
        """Whether a backward pass may follow. An exported network has plain convolutions."""
        needs_gradient = input.requires_grad or self.weight.requires_grad
        return (
            input.device.type == "cpu"
            and self.training
            and torch.is_grad_enabled()
            and needs_gradient
            and not torch._C._get_tracing_state()
            and self._geometry().is_supported(self.kernel_size)
        )

    @torch.jit.unused
    def _geometry(self) -> Geometry:
        return Geometry(*(cast(Pair, x) for x in (self.stride, self.padding, self.dilation)))


class FastDepthwiseSame(FastDepthwise, timm_layers.Conv2dSame):  # type: ignore[misc, name-defined]
    """Pads an image as TensorFlow does: by what its size needs, and more at the lower right."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolves [B, C, H, W]."""
        x = timm_layers.pad_same(x, self.kernel_size, self.stride, self.dilation)
        return self._conv_forward(x, self.weight, self.bias)


FAST: dict[type[nn.Conv2d], type[nn.Conv2d]] = {
    nn.Conv2d: FastDepthwise,
    timm_layers.Conv2dSame: FastDepthwiseSame,
}


def speed_up_depthwise(network: nn.Module) -> None:
    """Gives depthwise convolutions their fast backward pass, in place.

    Names in the state dict stay the same, and the layers are still instances of their class.

    Args:
        network: of torch's and timm's layers.
    """
    # Elsewhere, torch computes convolutions without oneDNN.
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and _is_suitable(layer):
            layer.__class__ = FAST[type(layer)]


def _is_suitable(layer: nn.Conv2d) -> bool:
    if type(layer) not in FAST:  # a subclass may compute something else
        return False
    pads_with_zeros = not isinstance(layer.padding, str) and layer.padding_mode == "zeros"
    return pads_with_zeros and layer.groups == layer.in_channels == layer.out_channels > 1
