"""The network that a file holds: from photos as they are read to masks, in operations of any size.

Everything around the network is inside: normalization, the padding that keeps masks in place, and
the way back to the size of the image. So whoever runs the file needs no code of ours.
"""

import copy

import torch
from torch import Tensor, nn

from fewmask.evaluation.export.same_padding import fix_same_padding
from fewmask.evaluation.inference import expected_normalization
from fewmask.models import Segmenter

INPUT = "image"
"""uint8 [B, H, W, C], as a photo is read."""
OUTPUTS = ("mask", "confidence", "logits")
"""uint8 [B, H, W]; float32 [B, H, W], probability of the label; float32 [B, K, H, W]."""


class PlainNetwork(nn.Module):
    """Labels photos as they are read.

    The network is copied, so that what is changed for the export changes nothing else.

    Args:
        network: gives an `Output`.
        channels: bands of an image.

    Example:
        mask, confidence, logits = PlainNetwork(network, 3)(photos)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, channels: int):
        super().__init__()
        expected = expected_normalization(network, channels)
        for name, values in zip(("mean", "std"), expected, strict=True):
            # As `normalize` computes it, so that both round alike.
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1) * 255)
        self.network = copy.deepcopy(network).cpu()
        self.crop, self.stride = _take_over_padding(self.network)
        self.eval().requires_grad_(False)
        if self.crop is not None:
            side = self.crop % self.stride + 4 * self.stride
            fix_same_padding(self.network, channels, side)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Labels images.

        Args:
            image: uint8 [B, H, W, C].

        Returns:
            Mask, confidence and logits, see `OUTPUTS`.
        """
        height, width = image.shape[1], image.shape[2]
        seen = self._padded(image).permute(0, 3, 1, 2).float()
        output = self.network((seen - self.mean) / self.std)
        logits = output.upsampled_logits[..., :height, :width]  # [B, K, H, W]
        confidence = logits.softmax(dim=1).amax(dim=1)
        return logits.argmax(dim=1).to(torch.uint8), confidence, logits

    def _padded(self, image: Tensor) -> Tensor:
        """What `Segmenter` does, without a branch: a file holds no decisions on sizes."""
        if self.crop is None:
            return image
        places, mirrored = [], []
        for length in (image.shape[1], image.shape[2]):
            place = torch.arange(length + (self.crop - length) % self.stride, device=image.device)
            places.append(place)
            mirrored.append(2 * (length - 1) - place)
        # Images smaller than their padding have nothing to reflect, and repeat their last pixels.
        is_small = (mirrored[0].amin(dim=0) < 0) | (mirrored[1].amin(dim=0) < 0)
        for axis in (1, 2):
            place, mirror = places[axis - 1], mirrored[axis - 1]
            last = image.shape[axis] - 1
            beyond = torch.where(is_small, place.clamp(max=last), mirror.clamp(min=0))
            image = image.index_select(axis, torch.where(place <= last, place, beyond))
        return image


def _take_over_padding(network: nn.Module) -> tuple[int | None, int]:
    """Turns off the padding of a network, and gives its crop and stride."""
    segmenters = [module for module in network.modules() if isinstance(module, Segmenter)]
    if not segmenters:
        return None, 1
    crop, stride = segmenters[0].crop, segmenters[0].decoder.stages.strides[-1]
    for segmenter in segmenters:
        segmenter.crop = None
    return crop, stride
