"""Perturbations of features, between encoder and decoder.

Masks are drawn for the images of all processes, from torch's CPU generator, which is in the same
state in every process. So a step does not depend on the number of processes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fewmask.batch import send
from fewmask.parts import processes


def channel_dropout(stages: Sequence[Tensor], probability: float = 0.5) -> list[Tensor]:
    """Drops channels of each image, whole ones, and enlarges the others so that means stay.

    Each stage has masks of its own.

    Args:
        stages: [B, C, h, w] each, of this process's images. Labeled and unlabeled ones need a call
            each, as their places in a joint batch depend on the number of processes.
        probability: p of a channel to be dropped, in [0, 1); the others are divided by 1 - p.

    Source: Yang et al., UniMatch, CVPR 2023.

    Example:
        stages = student.encoder(images)
        output = student.decode(channel_dropout(stages), images.shape[-2:])
    """
    count = len(stages[0]) * processes.world_size()
    factors = [_kept((count, x.shape[1]), 1 - probability) for x in stages]
    return [_scaled(x, processes.own(f)) for x, f in zip(stages, factors, strict=True)]


def complementary_dropout(stages: Sequence[Tensor], spared: float = 0.5) -> list[Tensor]:
    """Gives half of the channels to one view of an image, doubled, and the rest to the other view.

    Stages of one width, such as those of a plain vision transformer, are the same channels block
    after block and share their masks. Other stages have masks of their own.

    Args:
        stages: [2B, C, h, w] each, of this process: first views, then second views.
        spared: share of the images, rounded down, both views of which keep all channels.

    Source: Yang et al., UniMatch V2, TPAMI 2025.

    Example:
        stages = student.encoder(torch.cat([first, second]))
        output = student.decode(complementary_dropout(stages), first.shape[-2:])
    """
    count = len(stages[0]) // 2 * processes.world_size()
    widths = [x.shape[1] for x in stages]
    if len({*widths}) == 1:
        factors = [_kept((count, widths[0]), 0.5)] * len(stages)
    else:
        factors = [_kept((count, width), 0.5) for width in widths]
    whole = torch.randperm(count)[: int(spared * count)]
    return [
        _scaled(x, torch.cat([processes.own(half) for half in _halves(f, whole)]))
        for x, f in zip(stages, factors, strict=True)
    ]


def _halves(first: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
    """The factors [G, C] of both views; 1 for the images that are spared."""
    first = first.index_fill(0, whole, 1.0)
    return first, 2 - first


def _kept(shape: tuple[int, int], share: float) -> Tensor:
    """1 / share with this probability, otherwise 0: [G, C], on the host."""
    return (torch.rand(shape, dtype=torch.float32) < share) / share


def _scaled(x: Tensor, factors: Tensor) -> Tensor:
    """Multiplies the channels of maps [B, C, h, w] by factors [B, C]."""
    return x * send(factors, x.device).to(x.dtype)[:, :, None, None]
