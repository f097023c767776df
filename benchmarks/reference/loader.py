"""A loader as research code writes it: the reference for `benchmarks.loader`."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from benchmarks.photos import IMAGES
from fewmask.batch import IMAGENET
from fewmask.data.files import Files
from fewmask.data.views.imas import (
    blur_radius,
    enhance_factor,
    hue_shift,
    posterize_bits,
    solarize_threshold,
)


class ReferenceLoader:
    """Resizes the whole image before it crops, uses Pillow, and returns normalized floats."""

    def __init__(self, files: Files, crop: int):
        self.images = files.images
        self.masks = [mask for mask in files.masks if mask is not None]
        self.crop, self.rng = crop, np.random.default_rng(0)

    def labeled(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns image and mask."""
        i = step % IMAGES
        image = Image.open(self.images[i]).convert("RGB")
        mask = Image.open(self.masks[i])
        image, mask = self._weak(image, mask)
        return _to_tensor(image), torch.from_numpy(np.array(mask)).long()

    def unlabeled(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns weak view, strong view and the mask, which released code reads but ignores."""
        i = step % IMAGES
        image = Image.open(self.images[i]).convert("RGB")
        mask = Image.open(self.masks[i])
        image, mask = self._weak(image, mask)
        return (
            _to_tensor(image),
            _to_tensor(self._strong(image)),
            torch.from_numpy(np.array(mask)).long(),
        )

    def _weak(self, image: Image.Image, mask: Image.Image) -> tuple[Image.Image, Image.Image]:
        scale = self.rng.uniform(0.5, 2.0)
        size = (int(image.width * scale), int(image.height * scale))
        image = image.resize(size, Image.Resampling.BILINEAR)
        mask = mask.resize(size, Image.Resampling.NEAREST)
        if self.rng.random() < 0.5:
            image, mask = ImageOps.mirror(image), ImageOps.mirror(mask)
        right, bottom = max(0, self.crop - size[0]), max(0, self.crop - size[1])
        image = ImageOps.expand(image, (0, 0, right, bottom), (124, 116, 104))
        mask = ImageOps.expand(mask, (0, 0, right, bottom), 255)
        left = int(self.rng.integers(0, image.width - self.crop + 1))
        top = int(self.rng.integers(0, image.height - self.crop + 1))
        box = (left, top, left + self.crop, top + self.crop)
        return image.crop(box), mask.crop(box)

    def _strong(self, image: Image.Image) -> Image.Image:
        for _ in range(2):
            u, kind = float(self.rng.random()), int(self.rng.integers(1 + len(OPERATIONS)))
            if kind > 0:  # the first of the twelve is the identity
                image = OPERATIONS[kind - 1](image, u)
        return image


def _hue(image: Image.Image, u: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = (np.array(hue, np.int16) + hue_shift(u)) % 256
    hue = Image.fromarray(turned.astype(np.uint8))
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


OPERATIONS: tuple[Callable[[Image.Image, float], Image.Image], ...] = (
    lambda image, u: ImageOps.autocontrast(image),
    lambda image, u: ImageOps.equalize(image),
    lambda image, u: ImageOps.invert(image),
    lambda image, u: image.filter(ImageFilter.GaussianBlur(blur_radius(u))),
    lambda image, u: ImageEnhance.Contrast(image).enhance(enhance_factor(u)),
    lambda image, u: ImageEnhance.Brightness(image).enhance(enhance_factor(u)),
    lambda image, u: ImageEnhance.Color(image).enhance(enhance_factor(u)),
    lambda image, u: ImageEnhance.Sharpness(image).enhance(enhance_factor(u)),
    lambda image, u: ImageOps.posterize(image, posterize_bits(u)),
    lambda image, u: ImageOps.solarize(image, solarize_threshold(u)),
    _hue,
)


def _to_tensor(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
    mean = torch.tensor(IMAGENET.mean).view(3, 1, 1)
    std = torch.tensor(IMAGENET.std).view(3, 1, 1)
    return (pixels - mean) / std
