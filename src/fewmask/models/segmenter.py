"""Segmenter: encoder -> decoder -> head, the network that every method trains."""

from pathlib import Path
from typing import NamedTuple, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.config import BaseConfig
from fewmask.errors import UserError
from fewmask.models.decoders import (
    DecoderConfig,
    DeepLabV3Plus,
    make_aux_head,
    make_head,
    resize,
)
from fewmask.models.encoders import create_encoder


class ModelConfig(BaseConfig):
    """What the network is made of."""

    encoder: str = "resnet50"
    """A timm model by name, or your own class as package.module:Class."""
    pretrained: bool | Path = False
    """true downloads ImageNet weights, a file is loaded from disk, false starts from random
    weights."""
    in_channels: int = Field(default=3, ge=1)
    """Bands of an image: 3 for RGB, whatever the files hold; otherwise files are read with the
    bands they have (4: RGBA, CMYK, RGB + near infrared; any number from TIFF)."""
    output_stride: int = 16
    """Input pixels per pixel of the encoder's last stage: 32, 16 or 8."""
    multi_grid: tuple[int, ...] | None = None
    """Factors on the dilation of the last stage's blocks: [1, 2, 4] in iMAS and the U2PL family;
    bottleneck ResNets only."""
    decoder: DecoderConfig = DecoderConfig()
    """Settings of the DeepLabV3+ decoder."""
    aux_head: bool = False
    """Adds a second classifier on the encoder's last but one stage, used in training only."""


class Output(NamedTuple):
    """What a segmenter gives; one forward pass fills everything."""

    logits: Tensor  # [B, K, H, W] float32, at the input's resolution
    features: Tensor  # [B, C, H/4, W/4], what the head reads
    aux_logits: (
        Tensor | None
    )  # [B, K, H, W] float32, if there is an auxiliary head and it is training


class Segmenter(nn.Module):
    """A network that labels every pixel.

    Args:
        encoder: keeps the `Encoder` protocol.
        num_classes: K.
        config: decoder and head settings.

    Example:
        model = create_model(ModelConfig(encoder="resnet18"), num_classes=11)
        logits = model(images).logits  # [B, 11, H, W]
    """

    def __init__(self, encoder: nn.Module, num_classes: int, config: ModelConfig):
        super().__init__()
        channels = cast(list[int], encoder.channels)
        if len(channels) < 2:
            raise UserError(
                f"model.encoder={config.encoder} gives {len(channels)} feature map(s); DeepLabV3+ "
                "joins a fine and a coarse one. Choose an encoder with two or more stages."
            )
        self.num_classes = num_classes
        self.encoder = encoder
        self.decoder = DeepLabV3Plus(channels, config.output_stride, config.decoder)
        self.head = make_head(self.decoder.out_channels, num_classes, config.decoder)
        self.aux_head = (
            make_aux_head(channels[-2], num_classes, config.decoder) if config.aux_head else None
        )

    def forward(self, image: Tensor) -> Output:
        """Labels images.

        Args:
            image: [B, C, H, W], normalised; any H and W.
        """
        return self.decode(self.encoder(image), image.shape[-2:])

    def decode(self, stages: list[Tensor], size: tuple[int, int] | torch.Size) -> Output:
        """The second half of `forward`, from the encoder's stages to logits of a given size."""
        features = self.decoder(stages)  # [B, C, H/4, W/4]
        logits = resize(self.head(features).float(), size)  # float first: bf16 loses close calls
        aux_logits = None
        if self.aux_head is not None and self.training:
            aux_logits = resize(self.aux_head(stages[-2]).float(), size)
        return Output(logits, features, aux_logits)


def create_model(config: ModelConfig, num_classes: int) -> Segmenter:
    """Builds a segmenter with fresh (or, for the encoder, pretrained) weights.

    Raises:
        UserError: for an unknown encoder, an impossible stride, or weights that cannot be had.
    """
    encoder = create_encoder(
        config.encoder,
        config.output_stride,
        config.pretrained,
        config.multi_grid,
        config.in_channels,
    )
    return Segmenter(encoder, num_classes, config)
