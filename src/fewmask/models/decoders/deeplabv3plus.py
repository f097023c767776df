"""DeepLabV3+ decoder in the variants of the semi-supervised papers.

Source: Chen et al., Encoder-Decoder with Atrous Separable Convolution, ECCV 2018. All resizing is
bilinear with align_corners=True, so crops of 16 n + 1 pixels (321, 513, 769) meet feature pixels
exactly.
"""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.models.decoders.decoder import Decoder
from fewmask.models.encoders.stages import Stages
from fewmask.parts.batchnorm import set_momentum
from fewmask.parts.resizing import resize


class DeepLabV3Plus(Decoder):
    """Joins ASPP on the last stage with the first stage: the features that the head reads.

    Args:
        stages: two or more, finest first.
        config: sizes and variants.
    """

    class Config(Decoder.Config):
        """Settings of the DeepLabV3+ decoder and its heads. The defaults are those of iMAS."""

        name: str = "deeplabv3plus"
        """The decoder; `Decoder.Config` lists the others."""
        channels: int = Field(default=256, ge=1, le=16384)
        """Channels of the ASPP branches and of the head's 3x3 convolutions."""
        low_level_channels: int = Field(default=48, ge=1, le=16384)
        """Channels that the finest encoder stage is reduced to (48 iMAS; 256 U2PL, PCR,
        GTA-Seg)."""
        aspp_rates: tuple[Annotated[int, Field(ge=1, le=1024)], ...] | None = None
        """Dilations of the ASPP branches; null means 6, 12, 18 at output stride 16 or more, and
        12, 24, 36 at output stride 8."""
        aspp_fuse_kernel: int = Field(default=1, ge=1, le=31)
        """Kernel size of the convolution that joins the ASPP branches (1 iMAS; 3 U2PL, PCR,
        GTA-Seg)."""
        dropout: float = Field(default=0.0, ge=0, lt=1)
        """Probability of dropping a whole channel after ASPP and in the heads (0 iMAS; 0.1 U2PL
        family)."""
        element_dropout: float = Field(default=0.0, ge=0, lt=1)
        """Probability of dropping single values, once, after ASPP (0.1 PseudoSeg)."""
        batchnorm_momentum: float = Field(default=0.1, gt=0, le=1)
        """Weight of each batch in the running statistics of BatchNorm (0.0003 PseudoSeg)."""
        head_depth: int = Field(default=2, ge=0, le=64)
        """Number of 3x3 convolutions in the head, before the 1x1 convolution that gives one
        channel per class."""

    config: Config
    takes = (0, -1)

    def __init__(self, stages: Stages, config: Config):
        super().__init__(stages, config)
        (fine, *_, coarse), stride = stages.channels, stages.strides[-1]
        rates = config.aspp_rates or ((6, 12, 18) if stride >= 16 else (12, 24, 36))
        self.aspp = ASPP(coarse, rates, config)
        # This convolution alone keeps a bias in front of BatchNorm, as in the papers' code.
        self.low_level = conv_norm(fine, config.low_level_channels, kernel=1, bias=True)
        self.out_channels = config.channels + config.low_level_channels
        self.out_stride = stages.strides[0]
        self.dropout = nn.Dropout(config.element_dropout)
        set_momentum(self, config.batchnorm_momentum)

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Turns encoder stages into features [B, C, H/4, W/4]."""
        low = self.low_level(stages[0])  # [B, L, H/4, W/4]
        high = resize(self.dropout(self.aspp(stages[-1])), low.shape[-2:])  # [B, C, H/4, W/4]
        return torch.cat([high.to(low.dtype), low], dim=1)  # a GPU's autocast resizes in float32

    def make_head(self, num_classes: int) -> nn.Sequential:
        """`head_depth` 3x3 convolutions, then 1x1 to one channel per class."""
        c = self.config
        widths = [self.out_channels] + [c.channels] * c.head_depth
        layers = [
            conv_norm(width, following, kernel=3, dropout=c.dropout)
            for width, following in pairwise(widths)
        ]
        head = nn.Sequential(*layers, nn.Conv2d(widths[-1], num_classes, 1))
        set_momentum(head, c.batchnorm_momentum)
        return head

    def make_aux_head(self, num_classes: int) -> nn.Sequential:
        """One 3x3 convolution on the last but one stage, then 1x1 to one channel per class."""
        c = self.config
        first = conv_norm(self.aux_channels, c.channels, kernel=3, dropout=c.dropout)
        set_momentum(first, c.batchnorm_momentum)
        return nn.Sequential(first, nn.Conv2d(c.channels, num_classes, 1))


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: joins branches over the whole image, 1x1, and dilated 3x3."""

    def __init__(self, in_channels: int, rates: tuple[int, ...], config: DeepLabV3Plus.Config):
        super().__init__()
        width = config.channels
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_norm(in_channels, width, kernel=1))
        self.branches = nn.ModuleList(
            [conv_norm(in_channels, width, kernel=1)]
            + [conv_norm(in_channels, width, kernel=3, dilation=rate) for rate in rates]
        )
        joined = width * (len(rates) + 2)
        self.fuse = conv_norm(joined, width, config.aspp_fuse_kernel, dropout=config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Turns [B, C_in, h, w] into [B, C, h, w]."""
        pooled = self.pool(x).expand(-1, -1, *x.shape[-2:])
        fused: Tensor = self.fuse(
            torch.cat([pooled, *(branch(x) for branch in self.branches)], dim=1)
        )
        return fused


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel: int,
    dilation: int = 1,
    bias: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """A convolution that keeps the size, BatchNorm, ReLU, and dropout of channels if asked for."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(
        in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=bias
    )
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
    if dropout:
        layers.append(nn.Dropout2d(dropout))
    return nn.Sequential(*layers)
