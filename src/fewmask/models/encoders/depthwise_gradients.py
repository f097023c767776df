"""A fast backward pass for depthwise convolutions on CPUs.

In their backward pass, oneDNN (the library behind torch's convolutions on CPUs) has fast kernels
for few shapes only: others take up to a hundred times as long as the forward pass, and then three
quarters of a training step of EfficientNets, MobileNets and ConvNeXts. Both gradients can be
written in terms of what is fast:

* The gradient of the input is a forward convolution of the output's gradient with the flipped
  kernel. For stride s, the output's gradient is first spread out, with s - 1 zeros between values.
* The gradient of the kernel is fast for kernels of up to 3 columns without dilation. Wider kernels
  are cut into strips of 3 columns. A convolution with dilation d is d * d convolutions without, one
  for each d-th row and column, which are put side by side along the batch.

They equal torch's gradients up to the order of summation.
"""

from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from fewmask.parts.precision import full_precision

STRIP = 3
"""Columns of a kernel whose gradient oneDNN computes fast."""
Pair = tuple[int, int]
"""Along rows and columns."""


class Geometry(NamedTuple):
    """How a kernel moves over an image."""

    stride: Pair
    padding: Pair
    dilation: Pair

    def is_supported(self, kernel: tuple[int, ...]) -> bool:
        """Whether this file can compute the gradients of a kernel of kh rows and kw columns."""
        axes = zip(kernel, *self, strict=True)
        return all(p <= d * (k - 1) and 1 in (s, d) for k, s, p, d in axes)


def convolve(image: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """A depthwise convolution.

    Args:
        image: [B, C, H, W].
        weight: [C, 1, kh, kw].
        bias: [C].
        geometry: one that is supported.

    Returns:
        [B, C, h, w]; in the precision of autocast if it is enabled.
    """
    if torch.is_autocast_enabled("cpu"):
        # Not left to autocast: it would cast where gradients are not recorded, and keep the result.
        dtype = torch.get_autocast_dtype("cpu")
        image, weight = image.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    return cast(Tensor, _Depthwise.apply(image, weight, bias, geometry))  # type: ignore[no-untyped-call]


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, image: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry
    ) -> Tensor:
        ctx.save_for_backward(image, weight)
        ctx.geometry = geometry
        return F.conv2d(image, weight, bias, *geometry, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        image, weight = ctx.saved_tensors
        needs_image, needs_weight, needs_bias, _ = ctx.needs_input_grad
        with full_precision(gradient):
            return (
                image_gradient(gradient, image, weight, ctx.geometry) if needs_image else None,
                weight_gradient(gradient, image, weight, ctx.geometry) if needs_weight else None,
                gradient.sum((0, 2, 3)) if needs_bias else None,
                None,
            )


def image_gradient(gradient: Tensor, image: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """The gradient [B, C, H, W] of the image, from that of the output [B, C, h, w]."""
    (kh, kw), (sh, sw), dilation = weight.shape[2:], geometry.stride, geometry.dilation
    top = dilation[0] * (kh - 1) - geometry.padding[0]
    left = dilation[1] * (kw - 1) - geometry.padding[1]
    flipped = weight.flip(2, 3)
    if (sh, sw) == (1, 1):
        return F.conv2d(gradient, flipped, None, 1, (top, left), dilation, len(weight))
    (batch, channels, height, width), (h, w) = image.shape, gradient.shape[2:]
    height, width = height + dilation[0] * (kh - 1), width + dilation[1] * (kw - 1)
    # In channels-last order, as the image is: [B, C, H + d (kh - 1), W + d (kw - 1)].
    spread = gradient.new_zeros(batch, height, width, channels).permute(0, 3, 1, 2)
    rows, columns = _every(top, sh, h), _every(left, sw, w)
    spread[:, :, rows, columns] = gradient
    return F.conv2d(spread, flipped, None, 1, 0, dilation, len(weight))


def _every(start: int, step: int, count: int) -> slice:
    return slice(start, start + (count - 1) * step + 1, step)


def weight_gradient(gradient: Tensor, image: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """The gradient [C, 1, kh, kw] of the kernel, from that of the output [B, C, h, w]."""
    (kh, kw), (ph, pw), (dh, dw) = weight.shape[2:], geometry.padding, geometry.dilation
    if kw <= STRIP and (dh, dw) == (1, 1) and 2 * ph <= kh and 2 * pw <= kw:
        return _by_onednn(gradient, image, weight, geometry.stride, geometry.padding)
    # Zeros until the size can be divided by the dilation; then one image for each phase.
    gradient = F.pad(gradient, (0, -gradient.shape[3] % dw, 0, -gradient.shape[2] % dh))
    parts, strips = phases(gradient, (dh, dw)), []
    for start in range(0, kw, STRIP):
        strip = weight[..., start : start + STRIP]
        seen = _seen_by(strip, image, pw - start * dw, gradient, geometry)
        seen = phases(seen, (dh, dw))
        strips.append(_by_onednn(parts, seen, strip, geometry.stride, (0, 0)))
    return torch.cat(strips, dim=3)


def _seen_by(
    strip: Tensor, image: Tensor, before: int, gradient: Tensor, geometry: Geometry
) -> Tensor:
    """What some columns of a kernel meet: a part of the image and of the zeros around it.

    Args:
        strip: [C, 1, kh, up to 3] columns of the kernel.
        image: [B, C, H, W].
        before: columns of zeros on the left; a negative number takes columns of the image away.
        gradient: [B, C, h, w] of the output.
        geometry: of the convolution.
    """
    outputs, kernel = gradient.shape[2:], strip.shape[2:]
    axes = zip(outputs, geometry.stride, geometry.dilation, kernel, strict=True)
    height, width = ((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in axes)
    (rows, columns), top = image.shape[2:], geometry.padding[0]
    # In a small image, a strip may meet zeros only.
    left = min(max(before, -columns), width)
    return F.pad(image, (left, width - columns - left, top, height - rows - top))


def phases(image: Tensor, dilation: Pair) -> Tensor:
    """Every d-th row and column of [B, C, H, W], for each start: [B * d * d, C, H / d, W / d]."""
    (batch, channels, height, width), (dh, dw) = image.shape, dilation
    split = image.permute(0, 2, 3, 1).reshape(batch, height // dh, dh, width // dw, dw, channels)
    apart = split.permute(0, 2, 4, 1, 3, 5).reshape(-1, height // dh, width // dw, channels)
    return apart.permute(0, 3, 1, 2)


def _by_onednn(
    gradient: Tensor, image: Tensor, weight: Tensor, stride: Pair, padding: Pair
) -> Tensor:
    """The gradient of a kernel without dilation."""
    channels_last = torch.channels_last
    result: Tensor = torch.ops.aten.convolution_backward(
        gradient.contiguous(memory_format=channels_last),
        image.contiguous(memory_format=channels_last),
        weight.contiguous(),
        None,
        stride,
        padding,
        (1, 1),
        False,
        (0, 0),
        len(weight),
        (False, True, False),
    )[1]
    return result
