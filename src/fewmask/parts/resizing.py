"""Resizing maps, and reading them at another size a few rows at a time.

Logits leave a network a quarter as high and wide as the image, but losses and labels need them at
every pixel. Enlarging them at once would make every operation write and read K full-size planes.
So their columns are enlarged first, and then their rows strip by strip, each strip small enough to
stay in the cache. Bilinear resizing is a product with a matrix that has two numbers in each
row; its transpose maps a gradient back. Working in bands of the matrix skips most of its zeros.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fewmask.parts.precision import full_precision

STRIP = {"cpu": 2**19}
"""Numbers in a strip, by device: 2 MiB fit into the caches of a few CPU cores ..."""
GPU_STRIP = 2**27
"""... while a GPU is fastest with few strips."""
COLUMNS = {"cpu": 64}
"""Columns of a band, by device. A CPU loses time on zeros; a GPU loses more by another launch."""


def resize(x: Tensor, size: tuple[int, ...] | torch.Size) -> Tensor:
    """Bilinear resizing of [B, C, h, w] to (H, W), corners aligned, as the papers do."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


class Strip(NamedTuple):
    """Some rows (or columns) of a map that is being enlarged."""

    rows: slice  # of the large map
    source: slice  # the rows of the small map that they are blended from
    weights: Tensor  # [rows, source]: how much of each
    is_same: bool  # the height stays: rows are copied, and a NaN does not spread

    def of(self, small: Tensor) -> Tensor:
        """These rows of [B, C, h, W], enlarged to [B, C, rows, W], in new memory."""
        if self.is_same:
            return small[:, :, self.rows].clone()
        with full_precision(small):
            return self.weights @ small[:, :, self.source]

    def give_back(self, gradient: Tensor, small: Tensor) -> None:
        """Adds the gradient of `of`, [B, C, rows, W], to the small map's gradient."""
        if self.is_same:
            small[:, :, self.rows] += gradient
            return
        with full_precision(small):
            small[:, :, self.source] += self.weights.mT @ gradient


def strips(small: Tensor, height: int) -> Iterator[Strip]:
    """The strips of a map [B, C, h, W] that is enlarged to a height, from top to bottom."""
    images, channels, from_height, width = small.shape
    numbers = STRIP.get(small.device.type, GPU_STRIP)
    rows = max(1, numbers // max(1, images * channels * width))
    yield from _strips(from_height, height, rows, small.device, small.dtype)


@torch.no_grad()
def widen(small: Tensor, width: int) -> Tensor:
    """Resizes the columns alone: [B, C, h, w] to [B, C, h, W]."""
    if width == small.shape[3]:
        return small
    wide = small.new_empty(*small.shape[:3], width)
    with full_precision(small):
        for columns, source, weights, _ in _columns(small, small.shape[3], width):
            wide[..., columns] = small[..., source] @ weights.mT
    return wide


@torch.no_grad()
def narrow(gradient: Tensor, width: int) -> Tensor:
    """Maps a gradient back through `widen`: [B, C, h, W] to [B, C, h, w]."""
    if width == gradient.shape[3]:
        return gradient
    small = gradient.new_zeros(*gradient.shape[:3], width)
    with full_precision(gradient):
        for columns, source, weights, _ in _columns(gradient, width, gradient.shape[3]):
            small[..., source] += gradient[..., columns] @ weights
    return small


def _columns(x: Tensor, from_width: int, width: int) -> list[Strip]:
    count = COLUMNS.get(x.device.type, width)
    return _strips(from_width, width, count, x.device, x.dtype)


@lru_cache(maxsize=64)
def _strips(
    from_height: int, height: int, rows: int, device: torch.device, dtype: torch.dtype
) -> list[Strip]:
    steps = max(1, height - 1)
    found = []
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        first = top * (from_height - 1) // steps
        last = min(from_height - 1, (bottom - 1) * (from_height - 1) // steps + 1)
        place = torch.arange(top, bottom, dtype=torch.float64) * (from_height - 1) / steps
        sources = torch.arange(first, last + 1, dtype=torch.float64)
        weights = (1 - (place[:, None] - sources).abs()).clamp(min=0)
        weights = weights.to(dtype).to(device)
        is_same = height == from_height
        found.append(Strip(slice(top, bottom), slice(first, last + 1), weights, is_same))
    return found
