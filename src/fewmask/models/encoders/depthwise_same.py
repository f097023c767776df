"""timm's depthwise convolution with "same" padding, with a fast backward pass.

It has a file of its own, because a subclass of timm's class needs timm, which takes seconds to
import.
"""

from torch import Tensor

from fewmask.models.encoders.depthwise import FastDepthwise
from fewmask.models.encoders.timm_import import import_timm

layers = import_timm().layers


class FastDepthwiseSame(FastDepthwise, layers.Conv2dSame):  # type: ignore[misc, name-defined]
    """Pads an image as TensorFlow does: by what its size needs, and more at the lower right."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolves [B, C, H, W]."""
        x = layers.pad_same(x, self.kernel_size, self.stride, self.dilation)
        return self._conv_forward(x, self.weight, self.bias)
