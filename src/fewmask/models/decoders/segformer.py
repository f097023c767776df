"""The all-MLP decoder of SegFormer: light, and good on CPUs.

Source: Xie et al., SegFormer, NeurIPS 2021, section 3.2:

    F_i = resize(W_i x_i)  to the finest map;  features = ReLU(BN(W [F_1, ..., F_n]))

W is applied in blocks of columns, to maps that are not resized yet. This is the same function with
a fraction of the work: W [F_1, ..., F_n] is the sum of W'_i F_i, and a 1x1 convolution commutes
with a bilinear enlargement.
"""

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fewmask.models.decoders.decoder import Decoder
from fewmask.models.encoders.stages import Stages
from fewmask.parts.resizing import resize


class SegFormer(Decoder):
    """Brings all maps to one width and the size of the finest, and joins them by 1x1 convolutions.

    Args:
        stages: any, finest first.
        config: sizes.
    """

    class Config(Decoder.Config):
        """Settings of the all-MLP decoder and its head."""

        name: str = "segformer"
        """The decoder; `Decoder.Config` lists the others."""
        channels: int = Field(default=256, ge=1, le=16384)
        """C: channels of each map and of the features (256 in SegFormer-B0 and -B1, 768 in larger
        ones)."""
        dropout: float = Field(default=0.1, ge=0, lt=1)
        """Probability of dropping a whole channel in front of the classifier."""

    config: Config

    def __init__(self, stages: Stages, config: Config):
        super().__init__(stages, config)
        width = config.channels
        self.project = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in stages.channels)
        self.fuse = nn.Conv2d(width * len(stages.channels), width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.out_channels, self.out_stride = width, stages.strides[0]

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Turns maps into features [B, C, h, w] of the size of the finest."""
        widths = [self.out_channels] * len(stages)
        blocks = self.fuse.weight.split_with_sizes(widths, dim=1)  # [C, C, 1, 1] each
        maps = [
            F.conv2d(project(x), block)
            for project, block, x in zip(self.project, blocks, stages, strict=True)
        ]
        joined = maps[0]
        for x in maps[1:]:
            # A GPU's autocast resizes in float32.
            joined = joined + resize(x, joined.shape[-2:]).to(x.dtype)
        return F.relu(self.norm(joined), inplace=True)

    def make_head(self, num_classes: int) -> nn.Sequential:
        """Dropout of channels, then 1x1 to one channel per class."""
        classifier = nn.Conv2d(self.out_channels, num_classes, 1)
        return nn.Sequential(nn.Dropout2d(self.config.dropout), classifier)
