"""DPT, the decoder for plain vision transformers, in the form of UniMatch V2.

Source: Ranftl et al., Vision Transformers for Dense Prediction, ICCV 2021; Yang et al., UniMatch
V2, TPAMI 2025. Four maps of equal size h x w become a pyramid, which is fused from coarse to fine:

    lateral_i = conv3(resize_i(conv1(x_i)))        resize_i: x 4, x 2, x 1, x 1/2; to F channels
    RCU(x)    = x + conv3(ReLU(conv3(ReLU(x))))
    path_4    = up(conv1(RCU(lateral_4)))          to the size of lateral_3
    path_i    = up(conv1(RCU(path_i+1 + RCU(lateral_i))))           at last to 8h x 8w
    logits    = conv1(ReLU(conv3(path_1)))

conv1 and conv3 are 1x1 and 3x3 convolutions. The release enlarges before conv1, which is the same
function with four times the work: a bilinear enlargement and a 1x1 convolution commute.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from fewmask.errors import UserError
from fewmask.models.decoders.decoder import Decoder
from fewmask.models.encoders.stages import Stages
from fewmask.parts.resizing import resize

Width = Annotated[int, Field(ge=1, le=16384)]
"""A number of channels."""
SIZES = {
    384: ((48, 96, 192, 384), 64),
    768: ((96, 192, 384, 768), 128),
    1024: ((256, 512, 1024, 1024), 256),
    1536: ((1536, 1536, 1536, 1536), 384),
}
"""Width of the encoder (ViT-S, -B, -L, giant) to the channels of the levels, and F."""


class DPT(Decoder):
    """Makes a pyramid of four equally large maps, and fuses it from coarse to fine.

    Args:
        stages: four of equal stride, as a plain ViT gives them.
        config: sizes.

    Raises:
        UserError: for any other stages.
    """

    class Config(Decoder.Config):
        """Settings of the DPT decoder and its head."""

        name: str = "dpt"
        """The decoder; `Decoder.Config` lists the others."""
        channels: tuple[Width, Width, Width, Width] | None = None
        """c_1..c_4: channels of the four levels before the fusion; null means those of UniMatch V2
        for the encoder's width, or the nearest width."""
        features: Width | None = None
        """F: channels of the fusion and the head; null as for `channels`."""
        stride: Literal["full", "half"] = "full"
        """full: features at an eighth of the patch size; half: at a quarter, without the last
        enlargement, for small GPUs."""

    config: Config
    takes = (0, 1, 2, 3)

    def __init__(self, stages: Stages, config: Config):
        super().__init__(stages, config)
        if stages.strides != stages.strides[:1] * 4:
            raise UserError(
                f"model.decoder={config.name} needs four maps of equal stride, but model.encoder "
                f"gives strides {[*stages.strides]}. Choose a plain ViT, or "
                "model.decoder=deeplabv3plus."
            )
        nearest = min(SIZES, key=lambda width: abs(width - stages.channels[-1]))
        channels, features = SIZES[nearest]
        channels, features = config.channels or channels, config.features or features
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, own, 1),
                resizing,
                nn.Conv2d(own, features, 3, padding=1, bias=False),
            )
            for width, own, resizing in zip(
                stages.channels, channels, _resizing(channels), strict=True
            )
        )
        self.fusions = nn.ModuleList(Fusion(features, is_coarsest=i == 3) for i in range(4))
        self.enlarge = 2 if config.stride == "full" else 1
        self.out_channels = features
        self.out_stride = stages.strides[0] / (4 * self.enlarge)

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Turns four maps [B, D, h, w] into features [B, F, 8h, 8w], or 4h x 4w with half."""
        laterals = [level(x) for level, x in zip(self.levels, stages, strict=True)]
        height, width = laterals[0].shape[-2:]  # 4h, 4w; the others are 2h, h, h/2
        sizes = [(self.enlarge * height, self.enlarge * width)]
        sizes += [x.shape[-2:] for x in laterals[:-1]]
        path: Tensor | None = None
        for fusion, lateral, size in zip(
            reversed(self.fusions), reversed(laterals), reversed(sizes), strict=True
        ):
            path = fusion(lateral, path, size)
        assert path is not None
        return path

    def make_head(self, num_classes: int) -> nn.Sequential:
        """A 3x3 convolution, then 1x1 to one channel per class."""
        width = self.out_channels
        return nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, num_classes, 1)
        )


def _resizing(channels: tuple[int, ...]) -> list[nn.Module]:
    """Layers that make the first of four equally large maps 4 times as large ... the last 1/2."""
    first, second, _, last = channels
    return [
        nn.ConvTranspose2d(first, first, 4, stride=4),
        nn.ConvTranspose2d(second, second, 2, stride=2),
        nn.Identity(),
        nn.Conv2d(last, last, 3, stride=2, padding=1),
    ]


class Fusion(nn.Module):
    """Adds a lateral map to the path from coarser levels, and enlarges the result."""

    def __init__(self, width: int, is_coarsest: bool):
        super().__init__()
        self.skip = None if is_coarsest else Residual(width)
        self.own = Residual(width)
        self.project = nn.Conv2d(width, width, 1)

    def forward(self, lateral: Tensor, path: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Turns [B, F, h, w] twice (once at the coarsest level) into [B, F, *size]."""
        x = lateral if path is None or self.skip is None else path + self.skip(lateral)
        x = self.project(self.own(x))
        return resize(x, size).to(x.dtype)  # a GPU's autocast resizes in float32


class Residual(nn.Module):
    """RCU: two 3x3 convolutions around which the input is added; no BatchNorm."""

    def __init__(self, width: int):
        super().__init__()
        self.convs = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape of [B, F, h, w]."""
        residual: Tensor = self.convs(x)
        return x + residual
