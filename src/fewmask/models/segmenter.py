"""Segmenter: encoder -> decoder -> head, the network that every method trains."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.config import BaseConfig
from fewmask.errors import UserError
from fewmask.models.decoders.deeplabv3plus import (
    DecoderConfig,
    DeepLabV3Plus,
    make_aux_head,
    make_head,
)
from fewmask.models.encoders.timm_encoder import TimmEncoder, create_encoder
from fewmask.parts.pseudo_labels import most_probable
from fewmask.parts.resizing import resize


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
    frozen_stages: int = Field(default=0, ge=0)
    """Stages of the encoder, from the finest (stride 4), whose weights and BatchNorm statistics
    stay as they are, with the stem; for pretrained weights and few labels."""
    checkpointing: bool = False
    """Keeps no activations inside the encoder's blocks and computes them again in the backward
    pass: half the memory or less, a quarter more time, the same result."""
    decoder: DecoderConfig = DecoderConfig()
    """Settings of the DeepLabV3+ decoder."""
    aux_head: bool = False
    """Adds a second classifier on the encoder's last but one stage, used in training only."""


class Output(NamedTuple):
    """What a segmenter gives; one forward pass fills everything.

    Logits are held as the head gives them and resized when asked for: what of them is not asked
    for, and what a batch of many parts would add up to, is never as large as the images.
    """

    logits: Tensor  # [B, K, h, w] float32, logits
    features: Tensor  # [B, C, H/4, W/4], what the head reads
    aux_logits: Tensor | None = None  # [B, K, h', w'] float32, of the auxiliary head, in training
    size: tuple[int, int] | None = None  # (H, W) of the images; None: `logits` is as large

    @property
    def upsampled_logits(self) -> Tensor:
        """[B, K, H, W] float32, at the images' size; computed anew at each call."""
        return self.logits if self.size is None else resize(self.logits, self.size)

    @property
    def upsampled_aux_logits(self) -> Tensor | None:
        """The same of the auxiliary head; None without one, and outside training."""
        aux = self.aux_logits
        return aux if aux is None or self.size is None else resize(aux, self.size)

    def labels(self) -> Tensor:
        """[B, H, W] int64, the most probable class of each pixel; the same as of `logits`."""
        return most_probable(self.logits, self.size or self.logits.shape[-2:])

    def split(self, *sizes: int) -> list["Output"]:
        """The outputs of parts of the batch, of so many images each."""
        aux: Sequence[Tensor | None] = [None] * len(sizes)
        if self.aux_logits is not None:
            aux = self.aux_logits.split_with_sizes(sizes)
        logits, features = (x.split_with_sizes(sizes) for x in (self.logits, self.features))
        return [Output(*part, self.size) for part in zip(logits, features, aux, strict=True)]


class Segmenter(nn.Module):
    """A network that labels every pixel.

    Args:
        encoder: keeps the `Encoder` protocol.
        num_classes: K.
        config: decoder and head settings.

    Example:
        model = create_model(ModelConfig(encoder="resnet18"), num_classes=11)
        logits = model(images).upsampled_logits  # [B, 11, H, W]
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
            image: [B, C, H, W], normalized; any H and W.
        """
        return self.decode(self.encoder(image), image.shape[-2:])

    def decode(self, stages: list[Tensor], size: tuple[int, int] | torch.Size) -> Output:
        """The second half of `forward`, from the encoder's stages to logits of a given size."""
        features = self.decoder(stages)  # [B, C, H/4, W/4]
        logits, aux_logits = _plain(self.head(features)), None
        if self.aux_head is not None and self.training:
            aux_logits = _plain(self.aux_head(stages[-2]))
        return Output(logits, features, aux_logits, (size[0], size[1]))


def _plain(logits: Tensor) -> Tensor:
    """In float, as bf16 loses close calls; and class by class, as softmax over classes likes it."""
    return logits.float().contiguous()


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
    if config.frozen_stages or config.checkpointing:
        if not isinstance(encoder, TimmEncoder):
            raise UserError(
                "model.frozen_stages and model.checkpointing are for timm encoders; a class of "
                "your own does this by itself."
            )
        encoder.freeze(config.frozen_stages)
        if config.checkpointing:
            encoder.checkpoint_blocks()
    return Segmenter(encoder, num_classes, config)
