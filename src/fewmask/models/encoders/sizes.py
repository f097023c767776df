"""Images of any size, for encoders that demand multiples of a patch or of a window."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.parts.resizing import resize

UNITS = (1, 4, 8, 14, 16, 32, 64)
"""What sides of an image may have to be multiples of, in pixels; 1: any side will do."""
LARGEST_RESIZED = 32
"""Images are resized to multiples of at most this, and padded to multiples of anything larger."""


def fit(image: Tensor, unit: int) -> Tensor:
    """Gives images [B, C, H, W] sides that are multiples of `unit`, at least one.

    A patch is small, so images are resized to the nearest multiple (half up), with corners aligned,
    as UniMatch V2 does: 375 x 500 becomes 378 x 504 for patches of 14. A window may be as large as
    an image; images are then padded at the bottom and on the right, and `cut` undoes it.
    """
    height, width = image.shape[-2:]
    if unit <= LARGEST_RESIZED:
        return resize(image, (_nearest(height, unit), _nearest(width, unit)))
    return F.pad(image, (0, -width % unit, 0, -height % unit))


def cut(maps: list[Tensor], image: Tensor, unit: int, strides: Sequence[int]) -> list[Tensor]:
    """Cuts what `fit` has padded off feature maps [B, C_i, h_i, w_i] of images [B, C, H, W]."""
    if unit <= LARGEST_RESIZED:
        return maps
    height, width = image.shape[-2:]
    return [x[..., : -(-height // s), : -(-width // s)] for x, s in zip(maps, strides, strict=True)]


def find_unit(
    network: nn.Module,
    encode: Callable[[Tensor], list[Tensor]],
    channels: Sequence[int],
    strides: Sequence[int],
    bands: int,
    units: Sequence[int],
) -> int:
    """The smallest unit whose multiples an encoder can take, found by trying.

    Args:
        network: what `encode` calls; it is put into eval mode for the trials.
        encode: turns [1, C, H, W] into feature maps.
        channels: of each map.
        strides: image pixels per pixel of each map.
        bands: C.
        units: to try, in order.

    Raises:
        ValueError: if none of them works; the message is the reason that the last one failed.
    """
    reason = ""
    for unit in units:
        try:
            with _trial(network):
                for size in _trial_sizes(unit):
                    maps = encode(torch.zeros(1, bands, *size))
                    _require_maps(maps, size, channels, strides)
        except Exception as error:  # a forward pass can fail in any way
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        else:
            return unit
    raise ValueError(reason)


def _nearest(length: int, unit: int) -> int:
    """The nearest multiple, half up, at least one unit."""
    return max(unit, (2 * length + unit) // (2 * unit) * unit)


def _trial_sizes(unit: int) -> Iterator[tuple[int, int]]:
    """Sizes with odd and even numbers of units, at every stride."""
    if unit > max(UNITS):
        yield unit, 2 * unit
        return
    for sides in ((97, 81), (50, 70)):
        height, width = (-(-side // unit) * unit for side in sides)
        yield height, width


@contextmanager
def _trial(network: nn.Module) -> Iterator[None]:
    """Leaves no trace of a forward pass: in statistics, in gradients, in random numbers."""
    was_training = network.training
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network.eval()
        try:
            yield
        finally:
            network.train(was_training)


def _require_maps(
    maps: list[Tensor], size: tuple[int, int], channels: Sequence[int], strides: Sequence[int]
) -> None:
    """Makes sure that feature maps have their channels, and their places, give or take one."""
    for x, width, stride in zip(maps, channels, strides, strict=True):
        places = [abs(side - length / stride) for side, length in zip(x.shape[2:], size, strict=True)]
        if x.shape[1] != width or max(places) > 1:
            raise ValueError(
                f"an image of {size[0]} x {size[1]} gives a feature map of {[*x.shape[1:]]} at "
                f"stride {stride}"
            )
