"""A network small enough to keep in the repository."""

from torch import Tensor, nn


class Encoder(nn.Module):
    """Four stages of a few channels each."""

    def __init__(self, output_stride: int = 32):
        super().__init__()
        self.channels, self.strides = [4, 6, 8, 8], [4, 8, 16, 32]
        widths = [3, *self.channels]
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, width, 3, stride=4 if before == 3 else 2, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            )
            for before, width in zip(widths, self.channels, strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """One feature map per stage, finest first."""
        maps = []
        for stage in self.stages:
            image = stage(image)
            maps.append(image)
        return maps
