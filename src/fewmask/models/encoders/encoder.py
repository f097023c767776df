"""The contract of an encoder, and the one place that finds encoders by name."""

from pathlib import Path
from typing import Protocol, cast

from torch import Tensor, nn

from fewmask.config import find_class
from fewmask.errors import UserError
from fewmask.models.encoders.pretrained import Pretrained
from fewmask.models.encoders.pyramid import DEFAULT_STRIDE, TimmEncoder
from fewmask.models.encoders.stages import Stages
from fewmask.models.encoders.timm_models import is_plain
from fewmask.models.encoders.vit import ViTEncoder
from fewmask.models.encoders.weights import load_weights

OFF = {"multi_grid": "null", "ceil_pool": "false", "drop_path": "0", "output_stride": "null"}
"""How options that not every encoder has are switched off."""


class Encoder(Protocol):
    """What a decoder needs to know of an encoder: an `nn.Module` with two more attributes.

    A third one is optional: `normalization`, the `fewmask.batch.Normalization` of its images, with
    one value per band. Without it, images are normalized as ImageNet's.
    """

    channels: list[int]  # of each feature map, finest first
    strides: list[int]  # input pixels per feature pixel, finest first

    def __call__(self, image: Tensor) -> list[Tensor]:
        """Turns [B, C, H, W] into one [B, C_i, H/s_i, W/s_i] per stage."""


def create_encoder(
    name: str,
    output_stride: int | None,
    pretrained: Pretrained,
    multi_grid: tuple[int, ...] | None = None,
    in_channels: int = 3,
    drop_path: float = 0.0,
    ceil_pool: bool = False,
) -> nn.Module:
    """Builds an encoder: any timm model by name, or your own class as `package.module:Class`.

    Your class is called as `Class(output_stride=...)`, with `in_channels` as well if that is not 3,
    and keeps the `Encoder` contract. It loads pretrained weights by itself, or from a file.

    Raises:
        UserError: for an unknown name, an impossible stride, an option that the encoder does not
            have, unavailable weights, or a class that does not keep the contract.
    """
    resnet = {"multi_grid": multi_grid is not None, "ceil_pool": ceil_pool}
    if ":" in name:
        _refuse(name, "your own class", {**resnet, "drop_path": bool(drop_path)})
        return _own_encoder(name, output_stride or DEFAULT_STRIDE, pretrained, in_channels)
    if not is_plain(name):
        return TimmEncoder(
            name, output_stride, pretrained, multi_grid, in_channels, drop_path, ceil_pool
        )
    encoder = ViTEncoder(name, pretrained, in_channels, drop_path)
    # Shipped recipes set the usual stride for the ResNets they name.
    has_stride = output_stride in (None, DEFAULT_STRIDE, encoder.patch)
    _refuse(name, "a plain vision transformer", {**resnet, "output_stride": not has_stride})
    return encoder


def _refuse(name: str, what: str, options: dict[str, bool]) -> None:
    """Refuses options of the model that are set, but do not apply to its encoder."""
    for option, is_set in options.items():
        if is_set:
            raise UserError(
                f"model.{option} does not apply to model.encoder={name}, which is {what}. Leave "
                f"the option out, or set model.{option}={OFF[option]} if the recipe sets it."
            )


def _own_encoder(
    name: str, output_stride: int, pretrained: Pretrained, in_channels: int
) -> nn.Module:
    """An encoder of the user's class."""
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
