"""From a model's settings to a network."""

from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator
from torch import nn

from fewmask.config import BaseConfig
from fewmask.errors import UserError
from fewmask.models.decoders.decoder import DEFAULT, Decoder, create_decoder, decoder_config
from fewmask.models.encoders.choosing import AUTO, choose_encoder
from fewmask.models.encoders.encoder import create_encoder, stages_of
from fewmask.models.encoders.pretrained import Pretrained
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.segmenter import Segmenter


class ModelConfig(BaseConfig):
    """The parts of the network."""

    encoder: str = AUTO
    """A timm model by name, or your own class as package.module:Class. auto: resnet50 on a GPU;
    tf_efficientnet_lite0 on a CPU, and where the weights of resnet50 cannot be had."""
    pretrained: Pretrained = "auto"
    """Where the encoder's weights come from. auto (or true): timm's pretrained weights from a local
    cache or the hub, or else a package of fewmask[weights]; an error if none has them. timm or
    package: only from there, as the recipe of a run says. A path: that file. false: random."""
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
        default_factory=lambda: decoder_config(DEFAULT)
    )
    """The decoder by name, and its options."""
    aux_head: bool = False
    """Adds a second classifier on the encoder's last but one stage, used in training only."""

    @field_validator("pretrained", mode="before")
    @classmethod
    def _true_is_auto(cls, value: Any) -> Any:
        """Reads older recipes, in which `true` asked for the weights that auto finds."""
        return "auto" if value is True else value


def create_model(config: ModelConfig, num_classes: int) -> Segmenter:
    """Builds a segmenter with random (or, for the encoder, pretrained) weights.

    Args:
        config: encoder, decoder and head. `encoder=auto` is the one for the best device here.
        num_classes: K.

    Raises:
        UserError: for an unknown encoder or decoder, stages that the decoder cannot use, an
            impossible stride, or unavailable weights.
    """
    name, pretrained = config.encoder, config.pretrained
    if name == AUTO:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        name, pretrained, _ = choose_encoder(name, pretrained, device)
    encoder = create_encoder(
        name,
        config.output_stride,
        pretrained,
        config.multi_grid,
        config.in_channels,
    )
    if config.frozen_stages or config.checkpointing:
        _limit(encoder, config)
    decoder = create_decoder(stages_of(encoder, name), config.decoder)
    return Segmenter(encoder, decoder, num_classes, config.aux_head)


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
