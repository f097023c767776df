"""From a model's settings to a network."""

from pathlib import Path
from typing import Annotated

import torch
from pydantic import BeforeValidator, Field, SerializeAsAny
from torch import nn

from fewmask.config import BaseConfig
from fewmask.errors import UserError
from fewmask.models.decoders.decoder import AUTO, Decoder, chosen, create_decoder, decoder_config
from fewmask.models.encoders.encoder import create_encoder, stages_of
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.segmenter import Segmenter


class ModelConfig(BaseConfig):
    """The parts of the network."""

    encoder: str = "resnet50"
    """A timm model by name, or your own class as package.module:Class."""
    pretrained: bool | Path = False
    """true downloads ImageNet weights, a path loads weights from that file, false starts from
    random weights."""
    in_channels: int = Field(default=3, ge=1)
    """Bands of an image: 3 reads every file as RGB; any other number reads files with the bands
    they have (4: RGBA, CMYK, RGB + near infrared; any number from TIFF)."""
    output_stride: int = 16
    """Input pixels per pixel of the encoder's last stage: 32, 16 or 8."""
    multi_grid: tuple[int, ...] | None = None
    """Factors on the dilation of the last stage's blocks: [1, 2, 4] in iMAS and the U2PL family;
    bottleneck ResNets only."""
    frozen_stages: int = Field(default=0, ge=0)
    """Number of encoder stages to freeze, from the finest (stride 4), together with the stem:
    their weights and BatchNorm statistics stay fixed. Useful with pretrained weights and few
    labels."""
    checkpointing: bool = False
    """Stores no activations inside the encoder's blocks and computes them again in the backward
    pass: at most half the memory, a quarter more time, the same result."""
    decoder: Annotated[SerializeAsAny[Decoder.Config], BeforeValidator(decoder_config)] = Field(
        default_factory=lambda: decoder_config(AUTO)
    )
    """The decoder by name, and its options; auto is dpt for plain ViTs, otherwise deeplabv3plus.
    Options without a name are those of deeplabv3plus."""
    aux_head: bool = False
    """Adds a second classifier on the encoder's last but one stage, used in training only."""


def create_model(config: ModelConfig, num_classes: int) -> Segmenter:
    """Builds a segmenter with random (or, for the encoder, pretrained) weights.

    Args:
        config: encoder, decoder and head.
        num_classes: K.

    Raises:
        UserError: for an unknown encoder or decoder, stages that the decoder cannot use, an
            impossible stride, or unavailable weights.
    """
    encoder = _create_encoder(config)
    if config.frozen_stages or config.checkpointing:
        _limit(encoder, config)
    decoder = create_decoder(stages_of(encoder, config.encoder), config.decoder)
    return Segmenter(encoder, decoder, num_classes, config.aux_head)


def name_decoder(config: ModelConfig) -> ModelConfig:
    """Replaces `model.decoder=auto` by the decoder it stands for, so that it stays the same one.

    Raises:
        UserError: for an unknown encoder, or an impossible stride.
    """
    if config.decoder.name != AUTO:
        return config
    # On torch's device "meta" weights take no time and no memory; timm's models allow it.
    with torch.device("cpu" if ":" in config.encoder else "meta"):
        encoder = _create_encoder(config.model_copy(update={"pretrained": False}))
    decoder = chosen(config.decoder, stages_of(encoder, config.encoder))
    return config.model_copy(update={"decoder": decoder})


def _create_encoder(config: ModelConfig) -> nn.Module:
    return create_encoder(
        config.encoder,
        config.output_stride,
        config.pretrained,
        config.multi_grid,
        config.in_channels,
    )


def _limit(encoder: nn.Module, config: ModelConfig) -> None:
    """Freezes stages, and limits the memory of activations."""
    if not isinstance(encoder, TimmEncoder):
        raise UserError(
            "model.frozen_stages and model.checkpointing work with timm encoders only. Implement "
            "them in your own class, and leave these options out."
        )
    encoder.freeze(config.frozen_stages)
    if config.checkpointing:
        encoder.checkpoint_blocks()
