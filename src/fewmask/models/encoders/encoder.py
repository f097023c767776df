"""The contract of an encoder, and the one place that finds encoders by name."""

from pathlib import Path
from typing import Protocol, cast

from torch import Tensor, nn

from fewmask.config import find_class
from fewmask.errors import UserError
from fewmask.models.encoders.pretrained import Pretrained
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.stages import Stages
from fewmask.models.encoders.weights import load_weights


class Encoder(Protocol):
    """What a decoder needs to know of an encoder: an `nn.Module` with two more attributes."""

    channels: list[int]  # of each feature map, finest first
    strides: list[int]  # input pixels per feature pixel, finest first

    def __call__(self, image: Tensor) -> list[Tensor]:
        """Turns [B, C, H, W] into one [B, C_i, H/s_i, W/s_i] per stage."""


def create_encoder(
    name: str,
    output_stride: int,
    pretrained: Pretrained,
    multi_grid: tuple[int, ...] | None = None,
    in_channels: int = 3,
) -> nn.Module:
    """Builds an encoder: any timm model by name, or your own class as `package.module:Class`.

    Your class is called as `Class(output_stride=...)`, with `in_channels` as well if that is not 3,
    and keeps the `Encoder` contract. It loads pretrained weights by itself, or from a file.

    Raises:
        UserError: for an unknown name, an impossible stride, unavailable weights, or a class that
            does not keep the contract.
    """
    if ":" not in name:
        return TimmEncoder(name, output_stride, pretrained, multi_grid, in_channels)
    bands = {} if in_channels == 3 else {"in_channels": in_channels}
    kind = find_class(name, {}, "encoder", nn.Module, option="model.encoder")
    encoder: nn.Module = kind(output_stride=output_stride, **bands)
    if isinstance(pretrained, Path):
        load_weights(encoder, pretrained)
    return encoder


def stages_of(encoder: nn.Module, name: str) -> Stages:
    """The channels and strides that an encoder gives.

    Raises:
        UserError: if it does not tell them.
    """
    missing = [word for word in ("channels", "strides") if not hasattr(encoder, word)]
    if missing:
        raise UserError(
            f"model.encoder={name} has no attribute '{missing[0]}'. An encoder lists the channels "
            "and strides of its feature maps, finest first."
        )
    kept = cast(Encoder, encoder)
    return Stages(tuple(kept.channels), tuple(kept.strides))
