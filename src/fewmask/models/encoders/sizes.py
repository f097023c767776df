"""Images of any size, for encoders that demand multiples of a patch or of a window."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.parts.resizing import resize

UNITS = (1, 4, 8, 14, 16, 32, 64)
"""What sides of an image may have to be multiples of, in pixels; 1: any side will do."""
LARGEST_RESIZED = 32
"""Images are resized to multiples of at most this, and padded to multiples of anything larger."""
LEAST = (1, 8, 16, 32, 64, 128)
"""The smallest sides that encoders may ask for, in pixels."""


class Sizes(NamedTuple):
    """The image sizes that a network takes."""

    unit: int  # sides are multiples of it
    least: int  # the smallest side, a multiple of `unit`

    def fit(self, image: Tensor) -> Tensor:
        """Gives images [B, C, H, W] a size that the network takes.

        A patch is small, so images are resized to the nearest multiple (half up), with corners
        aligned, as UniMatch V2 does: 375 x 500 becomes 378 x 504 for patches of 14. A window may be
        as large as an image; images are then padded at the bottom and on the right, and `cut`
        undoes it.
        """
        height, width = image.shape[-2:]
        if self.unit <= LARGEST_RESIZED:
            return resize(image, (self._nearest(height), self._nearest(width)))
        return F.pad(image, (0, -width % self.unit, 0, -height % self.unit))

    def cut(self, maps: list[Tensor], image: Tensor, strides: Sequence[int]) -> list[Tensor]:
        """Cuts what `fit` has padded off the feature maps [B, C_i, h_i, w_i] of images."""
        if self.unit <= LARGEST_RESIZED:
            return maps
        height, width = image.shape[-2:]
        return [
            x[..., : -(-height // s), : -(-width // s)] for x, s in zip(maps, strides, strict=True)
        ]

    def _nearest(self, length: int) -> int:
        return max(self.least, (2 * length + self.unit) // (2 * self.unit) * self.unit)


class Trial(NamedTuple):
    """An encoder whose sizes are to be found, by trying some."""

    network: nn.Module  # what `encode` calls
    encode: Callable[[Tensor], list[Tensor]]  # turns [1, C, H, W] into feature maps
    channels: Sequence[int]  # of each map
    strides: Sequence[int]  # image pixels per pixel of each map
    bands: int  # C

    def sizes(self, units: Sequence[int]) -> Sizes:
        """The sizes that the encoder takes, of the smallest unit possible.

        Args:
            units: to try, in order.

        Raises:
            ValueError: if none of them works; the message is the reason that the last one failed.
        """
        for unit in units:
            reason = self._failure(_trial_sizes(unit))
            if not reason:
                sides = [-(-side // unit) * unit for side in LEAST]
                works = (side for side in sides if not self._failure([(side, side)]))
                return Sizes(unit, next(works, sides[-1]))
        raise ValueError(reason)

    def _failure(self, sizes: Iterable[tuple[int, int]]) -> str:
        """Why the encoder cannot take images of some sizes; empty if it can."""
        try:
            with _untouched(self.network):
                for size in sizes:
                    self._require(self.encode(torch.zeros(1, self.bands, *size)), size)
        except Exception as error:  # a forward pass can fail in any way
            return str(error).split("\n")[0] or type(error).__name__
        return ""

    def _require(self, maps: list[Tensor], size: tuple[int, int]) -> None:
        """Makes sure that feature maps have their channels, and their places, give or take one."""
        for x, channels, stride in zip(maps, self.channels, self.strides, strict=True):
            off = [abs(n - length / stride) for n, length in zip(x.shape[2:], size, strict=True)]
            if x.shape[1] != channels or max(off) > 1:
                raise ValueError(
                    f"an image of {size[0]} x {size[1]} gives a feature map of {[*x.shape[1:]]} at "
                    f"stride {stride}"
                )


def _trial_sizes(unit: int) -> Iterator[tuple[int, int]]:
    """Sizes with odd and even numbers of units, at every stride."""
    if unit > max(UNITS):
        yield unit, 2 * unit
        return
    for sides in ((97, 81), (50, 70)):
        height, width = (-(-side // unit) * unit for side in sides)
        yield height, width


@contextmanager
def _untouched(network: nn.Module) -> Iterator[None]:
    """Leaves no trace of a forward pass: in statistics, in gradients, in random numbers."""
    was_training = network.training
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network.eval()
        try:
            yield
        finally:
            network.train(was_training)
