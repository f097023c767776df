"""Hiera for images of any size: timm builds it for one.

Source: Ryali et al., Hiera: A Hierarchical Vision Transformer without the Bells-and-Whistles, ICML
2023. Its blocks are the same at any size; what belongs to one size is the order in which tokens lie
in memory, and the table of positions.
"""

from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor


def free_size(model: Any) -> None:
    """Lets a Hiera resize its position table to the tokens that an image has, as ViTs do."""
    if model.pos_embed_win is None:  # the others build their table from the number of windows
        # A partial, so that a deep copy of the model refers to the copy.
        model._pos_embed = partial(_add_positions, model, tuple(model.tokens_spatial_shape))


def set_size(model: Any, size: tuple[int, int]) -> None:
    """Prepares a Hiera for images of a size (H, W), multiples of 32."""
    tokens = [side // stride for side, stride in zip(size, model.patch_stride, strict=True)]
    if tokens == model.tokens_spatial_shape:
        return
    model.tokens_spatial_shape = tokens
    windows = zip(tokens, model.mask_unit_size, strict=True)
    model.mask_spatial_shape = [count // side for count, side in windows]
    model.unroll.size = tokens
    pooling = [model.q_stride] * (len(model.stage_ends) - 1)
    order = type(model.reroll)(size, model.patch_stride, pooling, model.stage_ends, model.q_pool)
    model.reroll.size, model.reroll.schedule = order.size, order.schedule


def _add_positions(model: Any, grid: tuple[int, int], x: Tensor) -> Tensor:
    """Adds to tokens [B, N, C] the table [1, h * w, C] of a grid (h, w), resized to theirs."""
    table = model.pos_embed.unflatten(1, grid).permute(0, 3, 1, 2)  # [1, C, h, w]
    if grid != tuple(model.tokens_spatial_shape):
        size = model.tokens_spatial_shape
        table = F.interpolate(table, size=size, mode="bicubic", antialias=True)
    tokens: Tensor = x + table.flatten(2).mT
    return tokens
