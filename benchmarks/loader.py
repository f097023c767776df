"""Samples per second out of the loader, beside a pipeline the way research code writes it."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from fewmask.batch import IMAGE_MEAN, IMAGE_STD, Views
from fewmask.data import BatchStream, Classes, Data, LoaderConfig
from fewmask.data.cache import DecodedFolder
from fewmask.data.files import Files, LabelTable
from fewmask.data.views.strong import (
    blur_radius,
    enhance_factor,
    hue_shift,
    posterize_bits,
    solarize_threshold,
)

IMAGES = 16
WIDTH, HEIGHT = 500, 375


def main(
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 321,
    rounds: Annotated[int, typer.Option(help="Passes over the images, of each in turn.")] = 9,
) -> None:
    """One core: an unlabeled sample (weak and strong view) and a labeled one, from JPEG files."""
    files = photos(Path(tempfile.mkdtemp(prefix="loader-")))
    config = LoaderConfig(crop=crop, labeled_batch=1, unlabeled_batch=1)
    data = Data(Classes([str(i) for i in range(21)]), files, files, files)
    ours = BatchStream(data, config, Views(strong=("imas",)), seed=0)
    kept = replace(files, decoded=DecodedFolder(files.images[0].parent / "decoded"))
    copies = BatchStream(
        replace(data, labeled=kept, unlabeled=kept), config, Views(strong=("imas",)), seed=0
    )
    reference = Reference(files, crop)
    pairs = {
        "unlabeled, weak + strong": (lambda i: ours._unlabeled(i, 0), reference.unlabeled),
        "labeled": (lambda i: ours._labeled(i, 0), reference.labeled),
        "unlabeled, decoded copies": (lambda i: copies._unlabeled(i, 0), reference.unlabeled),
        "labeled, decoded copies": (lambda i: copies._labeled(i, 0), reference.labeled),
    }
    print(f"crop {crop}, {WIDTH}x{HEIGHT} JPEG")
    for name, (mine, theirs) in pairs.items():
        seconds: list[tuple[float, float]] = []
        for _ in range(rounds + 1):
            seconds.append((_time(mine), _time(theirs)))
        seconds = seconds[1:]  # the first warms up
        a, b = (1000 * median(column) for column in zip(*seconds, strict=True))
        ratio = median(reference / own for own, reference in seconds)
        print(f"{name}: ours {a:.2f} ms, reference {b:.2f} ms a sample; {ratio:.1f} times faster")


def _time(sample: Callable[[int], object]) -> float:
    start = time.perf_counter()
    for i in range(IMAGES):
        sample(i)
    return (time.perf_counter() - start) / IMAGES


def photos(folder: Path) -> Files:
    """Smooth random pictures: they compress about as photos do."""
    rng = np.random.default_rng(0)
    images, masks = [], []
    for i in range(IMAGES):
        coarse = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        noisy = np.asarray(picture, np.int16) + rng.normal(0, 6, (HEIGHT, WIDTH, 3))
        images.append(folder / f"{i}.jpg")
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(images[-1], quality=92)
        labels = rng.integers(0, 21, (12, 16)).astype(np.uint8)
        masks.append(folder / f"{i}.png")
        Image.fromarray(labels).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST).save(masks[-1])
    return Files(images, masks, [str(i) for i in range(IMAGES)], LabelTable(21))


class Reference:
    """The whole image resized, then cropped; Pillow operations; normalized floats handed out."""

    def __init__(self, files: Files, crop: int):
        self.images = files.images
        self.masks = [mask for mask in files.masks if mask is not None]
        self.crop, self.rng = crop, np.random.default_rng(0)

    def labeled(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Image and mask."""
        i = step % IMAGES
        image = Image.open(self.images[i]).convert("RGB")
        mask = Image.open(self.masks[i])
        image, mask = self._weak(image, mask)
        return _to_tensor(image), torch.from_numpy(np.array(mask)).long()

    def unlabeled(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Weak view, strong view, mask (read and thrown away, as the released codes do)."""
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
            u = float(self.rng.random())
            match int(self.rng.integers(12)):
                case 1:
                    image = ImageOps.autocontrast(image)
                case 2:
                    image = ImageOps.equalize(image)
                case 3:
                    image = ImageOps.invert(image)
                case 4:
                    image = image.filter(ImageFilter.GaussianBlur(blur_radius(u)))
                case 5:
                    image = ImageEnhance.Contrast(image).enhance(enhance_factor(u))
                case 6:
                    image = ImageEnhance.Brightness(image).enhance(enhance_factor(u))
                case 7:
                    image = ImageEnhance.Color(image).enhance(enhance_factor(u))
                case 8:
                    image = ImageEnhance.Sharpness(image).enhance(enhance_factor(u))
                case 9:
                    image = ImageOps.posterize(image, posterize_bits(u))
                case 10:
                    image = ImageOps.solarize(image, solarize_threshold(u))
                case 11:
                    hue, saturation, value = image.convert("HSV").split()
                    turned = (np.array(hue, np.int16) + hue_shift(u)) % 256
                    hue = Image.fromarray(turned.astype(np.uint8))
                    image = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
        return image


def _to_tensor(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
    mean = torch.tensor(IMAGE_MEAN).view(3, 1, 1)
    std = torch.tensor(IMAGE_STD).view(3, 1, 1)
    return (pixels - mean) / std
