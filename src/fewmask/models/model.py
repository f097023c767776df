"""From a model's settings to a network."""

from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator
from torch import nn

from fewmask.batch import IMAGENET, Normalization
from fewmask.config import BaseConfig
from fewmask.errors import UserError
from fewmask.models.decoders.decoder import AUTO, Decoder, chosen, create_decoder, decoder_config
from fewmask.models.encoders.choosing import AUTO as AUTO_ENCODER
from fewmask.models.encoders.choosing import choose_encoder
from fewmask.models.encoders.encoder import create_encoder, stages_of
from fewmask.models.encoders.freezing import freeze_all
from fewmask.models.encoders.pretrained import Pretrained
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.vit import ViTEncoder
from fewmask.models.segmenter import Segmenter
from fewmask.parts.batchnorm import set_momentum


class ModelConfig(BaseConfig):
    """The parts of the network."""

    encoder: str = AUTO_ENCODER
    """A timm model by name, or your own class as package.module:Class. auto: resnet50 on a GPU;
    tf_efficientnet_lite0 on a CPU, and where the weights of resnet50 cannot be had."""
    pretrained: Pretrained = "auto"
    """Where the encoder's weights come from. auto (or true): timm's pretrained weights from a local
    cache or the hub, or else a package of fewmask[weights]; an error if none has them. timm or
    package: only from there, as the recipe of a run says. A path: that file. false: random."""
    in_channels: int = Field(default=3, ge=1, le=512)
    """Bands of an image: 3 reads every file as RGB; any other number reads files with the bands
    they have (4: RGBA, CMYK, RGB + near infrared; any number from TIFF)."""
    output_stride: int | None = Field(default=None, ge=1, le=256)
    """Input pixels per pixel of the encoder's last stage: 32, 16 or 8. null: 16 where the encoder
    can be dilated to it, else the encoder's own."""
    ceil_pool: bool = False
    """Rounds sizes up in the max pooling of a ResNet's stem, as the released codes of several
    papers do."""
    multi_grid: tuple[Annotated[int, Field(ge=1, le=64)], ...] | None = None
    """Factors on the dilation of the last stage's blocks: [1, 2, 4] in iMAS and the U2PL family;
    bottleneck ResNets only."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Probability of skipping the encoder's last block in training; earlier blocks are skipped
    less."""
    frozen_stages: Annotated[int, Field(ge=0)] | Literal["all"] = 0
    """Number of encoder stages to freeze, from the finest (stride 4), together with the stem:
    their weights and BatchNorm statistics stay fixed. Useful with pretrained weights and few
    labels. all: the whole encoder, which also saves time and memory."""
    batchnorm_momentum: float | None = Field(default=None, gt=0, le=1)
    """Weight of each batch in the running statistics of the encoder's BatchNorm layers; null keeps
    what each encoder has (PseudoSeg: 0.05 for ResNets, 0.0003 for Xception)."""
    checkpointing: bool = False
    """Stores no activations inside the encoder's blocks and computes them again in the backward
    pass: at most half the memory, a quarter more time, the same result."""
    decoder: Annotated[SerializeAsAny[Decoder.Config], BeforeValidator(decoder_config)] = Field(
        default_factory=lambda: decoder_config(AUTO)
    )
    """The decoder by name, and its options; auto is dpt for plain ViTs, otherwise deeplabv3plus.
    Options without a name are those of deeplabv3plus."""
    aligned: bool = True
    """Pads images in evaluation and prediction, on the right and at the bottom, so that feature
    pixels meet image pixels as in the training crops; the result is cut again. Without it masks
    are displaced by up to half a stride; false scores as the papers' released code does."""
    aux_head: bool = False
    """Adds a second classifier on the encoder's last but one stage, used in training only."""

    @field_validator("pretrained", mode="before")
    @classmethod
    def _true_is_auto(cls, value: Any) -> Any:
        """Reads older recipes, in which `true` asked for the weights that auto finds."""
        return "auto" if value is True else value


def create_model(config: ModelConfig, num_classes: int, crop: int | None = None) -> Segmenter:
    """Builds a segmenter with random (or, for the encoder, pretrained) weights.

    Args:
        config: encoder, decoder and head. `encoder=auto` is the one for the best device here.
        num_classes: K.
        crop: side of the training crops, which `aligned` needs to know.

    Raises:
        UserError: for an unknown encoder or decoder, stages that the decoder cannot use, an
            impossible stride, or unavailable weights.
    """
    encoder = _create_encoder(config)
    if config.batchnorm_momentum is not None:
        set_momentum(encoder, config.batchnorm_momentum)
    if config.frozen_stages or config.checkpointing:
        _limit(encoder, config)
    decoder = create_decoder(stages_of(encoder, config.encoder), config.decoder)
    crop = crop if config.aligned else None
    normalization = _normalization(encoder, config)
    return Segmenter(encoder, decoder, num_classes, config.aux_head, normalization, crop)


def _normalization(encoder: nn.Module, config: ModelConfig) -> Normalization:
    """What an encoder expects of images; ImageNet's values if it does not say."""
    usual = IMAGENET.for_bands(config.in_channels)
    # timm's encoders say what their pretrained weights expect. Random ones can do with anything.
    is_random = isinstance(encoder, TimmEncoder | ViTEncoder) and not config.pretrained
    expected: Normalization = usual if is_random else getattr(encoder, "normalization", usual)
    return expected


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
    name, pretrained = config.encoder, config.pretrained
    if name == AUTO_ENCODER:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        name, pretrained, _ = choose_encoder(name, pretrained, device)
    return create_encoder(
        name,
        config.output_stride,
        pretrained,
        config.multi_grid,
        config.in_channels,
        config.drop_path,
        config.ceil_pool,
    )


def _limit(encoder: nn.Module, config: ModelConfig) -> None:
    """Freezes stages, and limits the memory of activations."""
    if config.frozen_stages == "all":
        freeze_all(encoder)  # leaves no activations to compute again
        return
    if not isinstance(encoder, TimmEncoder | ViTEncoder):
        raise UserError(
            "model.checkpointing, and model.frozen_stages other than all, work with timm encoders "
            "only. Implement them in your own class, and leave these options out."
        )
    encoder.freeze(config.frozen_stages)
    if config.checkpointing:
        encoder.checkpoint_blocks()
