"""The contract of a decoder: from an encoder's stages to the features that a head reads."""

import abc
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from fewmask.config import BaseConfig, find_class, validate
from fewmask.errors import UserError, did_you_mean
from fewmask.models.decoders import DECODERS
from fewmask.models.encoders.stages import Stages

AUTO = "auto"
"""The default: DPT for the four maps of equal stride of a plain ViT, otherwise DeepLabV3+."""
UNNAMED = "deeplabv3plus"
"""The decoder of options without a name: those of recipes and `best.pt` files from before there
was a choice."""


class Decoder(nn.Module, abc.ABC):
    """Turns the stages of an encoder into features, and makes the heads that read them.

    Args:
        stages: what the encoder gives.
        config: this decoder's `Config`.

    Raises:
        UserError: from `__init__`, if the decoder cannot use these stages.

    Example:
        See docs/extending.md for a complete decoder, and `deeplabv3plus.py` for the default one.
    """

    class Config(BaseConfig):
        """Settings of the decoder and its heads."""

        name: str
        """The decoder: auto (dpt for plain ViTs, otherwise deeplabv3plus), a built-in name (linear,
        segformer, smp:UPerNet ...), or your own class as package.module:Class."""

    takes: tuple[int, ...] = (-1,)
    """The encoder's stages that `forward` reads, as indices; each must be a different stage."""

    aux_takes: int = -2
    """The stage that the auxiliary head reads."""

    out_channels: int
    """C: channels of the features; set it in `__init__`."""

    out_stride: float
    """Input pixels per feature pixel, 1.75 for DPT on patches of 14; set it in `__init__`."""

    def __init__(self, stages: Stages, config: Config):
        super().__init__()
        self.stages, self.config = stages, config
        self._require([*self.takes], "")

    @abc.abstractmethod
    def forward(self, stages: list[Tensor]) -> Tensor:
        """Turns all stages, finest first, into features [B, C, h, w].

        Args:
            stages: [B, C_i, H/s_i, W/s_i] each, also those that the decoder does not use.
        """

    def make_head(self, num_classes: int) -> nn.Module:
        """The classifier that turns features [B, C, h, w] into logits [B, K, h, w]."""
        return nn.Conv2d(self.out_channels, num_classes, 1)

    def make_aux_head(self, num_classes: int) -> nn.Module:
        """The classifier on the encoder's `aux_takes` stage, which is used in training only."""
        return nn.Conv2d(self.aux_channels, num_classes, 1)

    @property
    def aux_channels(self) -> int:
        """Channels of the stage that the auxiliary head reads.

        Raises:
            UserError: if the encoder has no such stage.
        """
        self._require([self.aux_takes], "model.aux_head=true: the auxiliary head of ")
        return self.stages.channels[self.aux_takes]

    def _require(self, indices: list[int], prefix: str) -> None:
        """Refuses an encoder with too few stages."""
        count = len(self.stages.channels)
        found = {i % count for i in indices if -count <= i < count}
        if len(found) < len(indices):
            raise UserError(
                f"{prefix}model.decoder={self.config.name} reads the stages {indices} of the "
                f"encoder, each a different one, but model.encoder gives {count} feature map(s), "
                f"of stride(s) {[*self.stages.strides]}. Choose an encoder with more stages, or "
                "another decoder."
            )


def decoder_config(given: Any) -> Any:
    """Reads `model.decoder`: a name alone, or options that belong to the decoder they name.

    `auto` has no options, because it stands for one decoder or another. Options without a name are
    those of deeplabv3plus, whatever the encoder.

    Raises:
        UserError: for an unknown decoder, or an option or value that it does not have.
    """
    values = {"name": given} if isinstance(given, str) else given
    if not isinstance(values, Mapping):  # a config object, or something that pydantic refuses
        return values
    values = {"name": UNNAMED, **values}
    if values["name"] != AUTO:
        return validate(_decoder_class(str(values["name"])).Config, values, "model.decoder")
    if options := [key for key in values if key != "name"]:
        raise UserError(
            f"model.decoder.{options[0]}: model.decoder=auto has no options. Name the decoder that "
            f"this one belongs to, such as model.decoder={UNNAMED}, or model.decoder=dpt for a ViT."
        )
    return Decoder.Config(name=AUTO)


def chosen(config: Decoder.Config, stages: Stages) -> Decoder.Config:
    """Replaces `auto` by the decoder that it stands for with these stages."""
    if config.name != AUTO:
        return config
    is_plain = stages.strides == stages.strides[:1] * 4
    found: Decoder.Config = decoder_config("dpt" if is_plain else UNNAMED)
    return found


def create_decoder(stages: Stages, config: Decoder.Config) -> Decoder:
    """Builds a decoder by the name in its config, with fresh weights.

    Raises:
        UserError: if the decoder cannot use these stages, or does not keep the contract.
    """
    config = chosen(config, stages)
    decoder = _decoder_class(config.name)(stages, config)
    for attribute in ("out_channels", "out_stride"):
        if not hasattr(decoder, attribute):
            raise UserError(
                f"model.decoder={config.name} does not say its {attribute}. Set "
                f"self.{attribute} in its __init__: the head and some methods need it."
            )
    return decoder


def _decoder_class(name: str) -> type[Decoder]:
    if name.startswith("smp:") and name not in DECODERS:  # not a module of the user's
        instead = {"smp:dpt": "dpt"} | {known.lower(): known for known in DECODERS}
        raise UserError(
            f"model.decoder={name}: segmentation_models_pytorch has no such decoder for feature "
            f"maps. {did_you_mean(instead.get(name.lower(), name), DECODERS)}"
        )
    # mypy refuses abstract classes as arguments, although only their subclasses are created here.
    return find_class(name, DECODERS, "model.decoder", Decoder)  # type: ignore[type-abstract]
