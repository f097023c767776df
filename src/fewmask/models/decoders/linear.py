"""Linear probe: how far an encoder's features get with one 1x1 convolution.

Source: Oquab et al., DINOv2, TMLR 2024, section 7.4. BatchNorm stands in front of the classifier,
so that one learning rate serves encoders whose features differ in scale.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.models.decoders.decoder import Decoder
from fewmask.models.encoders.stages import Stages
from fewmask.parts.resizing import resize


class Linear(Decoder):
    """Normalizes the last map, or all maps at the size of the finest.

    Args:
        stages: any.
        config: which maps.
    """

    class Config(Decoder.Config):
        """Settings of the linear probe."""

        name: str = "linear"
        """The decoder; `Decoder.Config` lists the others."""
        levels: Literal["last", "all"] = "last"
        """last reads the encoder's last map; all concatenates all maps at the size of the finest,
        which takes much memory after a pyramid."""
        dropout: float = Field(default=0.1, ge=0, lt=1)
        """Probability of dropping a whole channel in front of the classifier."""

    config: Config

    def __init__(self, stages: Stages, config: Config):
        super().__init__(stages, config)
        first = -1 if config.levels == "last" else 0
        self.used = slice(first, None)
        self.out_channels = sum(stages.channels[self.used])
        self.out_stride = stages.strides[first]
        self.norm = nn.BatchNorm2d(self.out_channels)

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Turns maps into features [B, C, h, w] of the size of the finest one in use."""
        used = stages[self.used]
        size = used[0].shape[-2:]
        # A GPU's autocast resizes in float32.
        joined = torch.cat([resize(x, size).to(x.dtype) for x in used], dim=1)
        features: Tensor = self.norm(joined)
        return features

    def make_head(self, num_classes: int) -> nn.Sequential:
        """Dropout of channels, then 1x1 to one channel per class."""
        classifier = nn.Conv2d(self.out_channels, num_classes, 1)
        return nn.Sequential(nn.Dropout2d(self.config.dropout), classifier)
