"""Networks and images whose predictions can be worked out by hand."""

import numpy as np
import torch
from torch import nn

from fewmask.models import Output


class ByColor(nn.Module):
    """Logits that depend on each pixel alone: the image's channels."""

    def forward(self, image):
        return Output(5 * image, image, None)


class Samples:
    """Two images that ByColor labels right, but for what the test spoils."""

    names = ("a", "b")

    def __len__(self):
        return 2

    def mask(self, index):
        return np.array([[0, 1, 2, 255], [1, 1, 0, 2]], np.uint8)

    def image(self, index):
        image = np.zeros((2, 4, 3), np.uint8)
        for c in range(3):
            image[..., c][self.mask(index) == c] = 255
        if index == 1:
            image[0, 0] = (0, 0, 255)
        return image


class Position(nn.Module):
    """Logits that depend on where a pixel lies in its window: windows that overlap disagree."""

    def forward(self, image):
        rows = torch.arange(image.shape[-2], dtype=torch.float).view(1, 1, -1, 1)
        return Output(torch.cat([rows + 0 * image[:, :1], 2 + 0 * image[:, :1]], 1), image, None)


class ShortOfMemory(ByColor):
    """Takes two images, not more."""

    def forward(self, image):
        self.seen = [*getattr(self, "seen", []), len(image)]
        if len(image) > 2:
            raise torch.OutOfMemoryError("too many")
        return super().forward(image)
