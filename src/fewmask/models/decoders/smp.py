"""Decoders of segmentation_models_pytorch (smp) on the stages of any encoder here.

smp's decoders read the image and maps of strides 2, 4, 8, 16 and 32. Encoders here have nothing
finer than stride 4, like some of smp's own, and as there, maps without channels stand in for the
first two. Some decoders double a map until it meets the next one, so they need sizes like 22, 44,
88, where a crop of 321 gives 21, 41, 81. Their maps are resized, corners aligned, and so are the
equally large maps of a plain ViT, to strides of about 4, 8, 16 and 32.
"""

import copy
import importlib
import inspect
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fewmask.errors import UserError, did_you_mean
from fewmask.models.decoders.decoder import Decoder
from fewmask.models.encoders.stages import Stages
from fewmask.models.encoders.timm_import import import_timm
from fewmask.parts.resizing import resize


class Kind(NamedTuple):
    """What smp's model knows of its decoder, and what the decoder needs."""

    path: str  # of the class, below segmentation_models_pytorch.decoders
    head_kernel: int
    spans: tuple[int, ...] = ()  # the finest map must be exactly so many times the coarsest
    least: int = 1  # sides of the coarsest map
    defaults: dict[str, Any] = {}


DOUBLING = (8,)
UNET = {"decoder_channels": (256, 128, 64, 32, 16)}
ASPP = {"out_channels": 256, "atrous_rates": (12, 24, 36), "aspp_dropout": 0.5}
KINDS = {
    "Unet": Kind("unet.decoder:UnetDecoder", 3, defaults=UNET),
    "UnetPlusPlus": Kind("unetplusplus.decoder:UnetPlusPlusDecoder", 3, DOUBLING, defaults=UNET),
    "MAnet": Kind("manet.decoder:MAnetDecoder", 3, DOUBLING, defaults=UNET),
    "Linknet": Kind("linknet.decoder:LinknetDecoder", 1, DOUBLING),
    "FPN": Kind("fpn.decoder:FPNDecoder", 1, DOUBLING),
    "UPerNet": Kind("upernet.decoder:UPerNetDecoder", 1),
    "Segformer": Kind("segformer.decoder:SegformerDecoder", 1),
    # Its pyramid attention halves the coarsest map three times.
    "PAN": Kind("pan.decoder:PANDecoder", 3, least=8, defaults={"decoder_channels": 32}),
    "PSPNet": Kind("pspnet.decoder:PSPDecoder", 3),
    "DeepLabV3": Kind(
        "deeplabv3.decoder:DeepLabV3Decoder", 1, defaults={**ASPP, "aspp_separable": False}
    ),
    "DeepLabV3Plus": Kind(
        "deeplabv3.decoder:DeepLabV3PlusDecoder",
        1,
        (2, 4),
        defaults={**ASPP, "aspp_separable": True},
    ),
}
"""By the name of smp's model."""
LAST_ONLY = ("PSPNet", "DeepLabV3")
"""These read the last map alone, so its stride is that of the features."""


class SMPDecoder(Decoder):
    """A decoder of smp, fed with four stages.

    Args:
        stages: four or more; the first four are read.
        config: the name, and arguments of smp's decoder.

    Raises:
        UserError: if smp is not installed, or its decoder does not take the options.
    """

    class Config(Decoder.Config):
        """Settings of a decoder of segmentation_models_pytorch."""

        options: dict[str, Any] = {}
        """Arguments of smp's decoder class, by smp's names: decoder_channels, use_norm,
        attention_type, pyramid_channels ... The rest keeps smp's defaults."""

    config: Config
    takes = (0, 1, 2, 3)

    def __init__(self, stages: Stages, config: Config):
        super().__init__(stages, config)
        name = config.name.partition(":")[2]
        self.kind, strides = KINDS[name], stages.strides[:4]
        ratio = strides[3] // strides[0]
        self.span = max(
            (span for span in self.kind.spans if span <= ratio),
            default=min(self.kind.spans, default=0),
        )
        if ratio == 1 and not self.span and name not in LAST_ONLY:
            self.span = 8  # equally large maps become a pyramid
        self.finer = strides[0] / 4 if ratio == 1 else 1  # of stride 4, not of the patch
        try:
            self.inner = self._create([0, 0, *stages.channels[:4]])
            if "DeepLab" not in name:  # as smp's models do
                _import("base.initialization").initialize_decoder(self.inner)
            self.out_channels, self.out_stride = self._measure()
        except UserError:
            raise
        except Exception as error:  # smp checks no options, so they fail in any way, anywhere
            raise UserError(
                f"model.decoder.options={config.options}: {config.name} cannot be built with these "
                f"({error}). See the documentation of segmentation_models_pytorch."
            ) from None

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Turns maps into features [B, C, h, w], whose size depends on the decoder."""
        maps = [stages[i] for i in self.takes]
        if self.span:
            maps = self._exact(maps)
        least = [max(side, self.kind.least) for side in maps[-1].shape[-2:]]
        maps[-1] = resize(maps[-1], tuple(least))
        height, width = maps[0].shape[-2:]
        # Nothing but the sizes of these is read.
        empty = [maps[0].new_empty(len(maps[0]), 0, n * height, n * width) for n in (4, 2)]
        features: Tensor = self.inner([*empty, *maps])
        return features

    def make_head(self, num_classes: int) -> nn.Module:
        """The head of smp's model without its enlargement: a convolution, 3x3 or 1x1."""
        kernel = self.kind.head_kernel
        head = nn.Conv2d(self.out_channels, num_classes, kernel, padding=kernel // 2)
        _import("base.initialization").initialize_head(head)
        return head

    def _exact(self, maps: list[Tensor]) -> list[Tensor]:
        """Resizes maps so that each is exactly as large as smp's decoder makes the one after it."""
        unit = [math.ceil(side * self.finer / self.span) for side in maps[0].shape[-2:]]
        factors = [max(1, self.span >> i) for i in range(4)]
        return [
            resize(x, tuple(side * n for side in unit)) for x, n in zip(maps, factors, strict=True)
        ]

    def _create(self, channels: list[int]) -> nn.Module:
        """The decoder of smp with the user's options."""
        path, _, attribute = self.kind.path.partition(":")
        decoder = getattr(_import(f"decoders.{path}"), attribute)
        known = inspect.signature(decoder).parameters
        given = {
            "encoder_channels": channels,
            "in_channels": channels[-1],
            "encoder_depth": 5,
            "n_blocks": 5,
            "output_stride": 4 * self.span,  # DeepLabV3+ enlarges by a quarter of it
        }
        for key in self.config.options:
            if key not in known or key in given:
                raise UserError(
                    f"model.decoder.options.{key}: {self.config.name} has no such option. "
                    f"{did_you_mean(key, known.keys() - given)}"
                )
        needed = {key: value for key, value in given.items() if key in known}
        module: nn.Module = decoder(**needed, **self.kind.defaults | self.config.options)
        return module

    def _measure(self) -> tuple[int, float]:
        """Channels and stride of the features."""
        strides = self.stages.strides
        side = math.lcm(32, *strides) * self.kind.least
        # Tensors on torch's device "meta" have shapes but no numbers, so this pass takes no time.
        maps = [
            torch.zeros(2, channels, side // stride, side // stride, device="meta")
            for channels, stride in zip(self.stages.channels, strides, strict=True)
        ]
        features = copy.deepcopy(self).to("meta").eval()(maps)
        return features.shape[1], side / features.shape[2]


def _import(path: str) -> Any:
    """A module of smp.

    Raises:
        UserError: if smp is not installed.
    """
    import_timm()  # smp imports torchvision, too: see there
    try:
        importlib.import_module("segmentation_models_pytorch")
    except ModuleNotFoundError as error:
        if error.name != "segmentation_models_pytorch":
            raise
        raise UserError(
            "The decoders smp:... come from segmentation_models_pytorch, which is not installed. "
            'Install it with: pip install "fewmask[smp]".'
        ) from None
    return importlib.import_module(f"segmentation_models_pytorch.{path}")
