"""Networks small enough to keep in the repository."""

from torch import Tensor, nn

from fewmask.models import Output
from fewmask.parts.resizing import resize


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


class PatchEncoder(nn.Module):
    """Four equally large maps of stride 14, as a plain vision transformer gives them."""

    def __init__(self, output_stride: int = 32):
        super().__init__()
        self.channels, self.strides = [8] * 4, [14] * 4
        self.embed = nn.Conv2d(3, 8, 14, stride=14)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(8, 8, 1), nn.GELU()) for _ in range(4))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Four maps; the image is resized to the nearest multiple of 14 first."""
        size = tuple(14 * max(1, round(side / 14)) for side in image.shape[-2:])
        x = self.embed(resize(image, size))
        maps = []
        for block in self.blocks:
            x = x + block(x)
            maps.append(x)
        return maps


class Pointwise(nn.Module):
    """A segmenter in float64 whose maps are half as large as the image: an encoder, two heads."""

    def __init__(self, classes: int = 3, batchnorm: bool = False, aux_head: bool = False):
        super().__init__()
        self.num_classes = classes
        norm = nn.BatchNorm2d(6) if batchnorm else nn.Identity()
        self.encoder = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), norm, nn.ReLU())
        self.decoder = nn.Conv2d(6, 5, 1)
        self.decoder.out_channels = 5
        self.head = nn.Conv2d(5, classes, 1)
        self.aux_head = nn.Conv2d(6, classes, 1) if aux_head else None
        self.double()

    def forward(self, image: Tensor) -> Output:
        """Logits at the size of the features."""
        stage = self.encoder(image)
        features = self.decoder(stage)
        has_aux = self.aux_head is not None and self.training
        aux_logits = self.aux_head(stage) if has_aux else None
        return Output(self.head(features), features, aux_logits, tuple(image.shape[-2:]))
