"""The nouns everyone shares: what a batch holds, how far training is, what a step reports."""

from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

IGNORE = 255
"""The mask value that means: no label here."""

LOSS_PREFIX = "loss_"
"""Precedes the names of losses in logs."""

LOGGED_BY_TRAINER = ("step", "lr", "images_per_second")
"""The names of logged values that do not come from a method."""


class Normalization(NamedTuple):
    """What an encoder expects of images in [0, 1]: (image - mean) / std, band by band."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def for_bands(self, channels: int) -> "Normalization":
        """From RGB to other bands: RGB comes first if there are three, the rest is its average."""
        colors = 3 if channels >= 3 else 0
        mean, std = (
            (*values[:colors], *[sum(values) / 3] * (channels - colors)) for values in self
        )
        return Normalization(mean, std)

    def color(self) -> tuple[int, ...]:
        """The mean as uint8, the color that becomes 0 when normalized."""
        return tuple(round(255 * mean) for mean in self.mean)


IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet, RGB: what most encoders expect."""


class Labeled(NamedTuple):
    """Images with human masks."""

    image: Tensor  # [B, C, H, W] float, normalized (uint8 [B, H, W, C] until it is on the device)
    mask: Tensor  # [B, H, W] int64: 0..K-1, or 255 = ignore (uint8 until it is on the device)


class Unlabeled(NamedTuple):
    """Images without masks, in pixel-aligned views."""

    weak: Tensor  # [B, C, H, W] like Labeled.image: scaled, cropped, flipped
    strong: tuple[Tensor, ...]  # each [B, C, H, W]: the weak view in other colors
    valid: Tensor  # [B, H, W] bool: False where the crop is padding
    image_index: Tensor  # [B] int64: which image of the unlabeled set this is
    present: Tensor | None = None  # [B, K] bool: the classes in the image (or crop), if known


class Batch(NamedTuple):
    """What one gradient step sees."""

    labeled: Labeled
    unlabeled: Unlabeled | None  # None for a method that asks for no views
    labeled_valid: Tensor | None = None  # [B, H, W] bool: False where labeled crops are padding


class Views(NamedTuple):
    """The views of unlabeled images that a method asks for: a weak one, and strong ones by name."""

    strong: tuple[str, ...] = ()
    amount: float | None = None  # how much strong views change, in each one's unit; None: as usual
    crop_labels: bool = False  # whether masks of unlabeled images tell which classes a crop shows


class Progress(NamedTuple):
    """How far training is."""

    step: int  # gradient steps done
    total_steps: int
    steps_per_epoch: int  # steps in one pass over the unlabeled set (labeled set if there is none)

    def in_steps(self, epochs: int, steps: int | None) -> int:
        """The length of a warm-up in steps: `steps`, or that of `epochs` if `steps` is None."""
        return epochs * self.steps_per_epoch if steps is None else steps


@dataclass(frozen=True)
class StepReport:
    """What a step tells about itself, for logs, charts and advice.

    Every value is a tensor without gradient that stays on the device: reading a number in a step
    would make the host wait for the GPU.
    """

    losses: dict[str, Tensor]
    """Each 0-d, by a short name: `labeled`, `unlabeled` ...; logged as `loss_labeled` ..."""
    used_pixels: Tensor | None = None
    """0-d: the share of the unlabeled pixels whose pseudo-label is used, 0..1."""
    easiness: Tensor | None = None
    """[B] in 0..1: how easy each unlabeled image is; also kept per image, in `hardness.csv`."""
    scalars: dict[str, Tensor] = field(default_factory=dict)
    """Anything else worth logging, by name: 0-d, or [B] with one value per unlabeled image."""

    def by_name(self) -> dict[str, Tensor]:
        """All values under the names that they are logged with."""
        values = {f"{LOSS_PREFIX}{name}": loss for name, loss in self.losses.items()}
        if self.easiness is not None:
            values["easiness"] = self.easiness
        if self.used_pixels is not None:
            values["used_pixels"] = self.used_pixels
        return values | self.scalars


def normalize(image: Tensor, device: torch.device | str, normalization: Normalization) -> Tensor:
    """Moves uint8 images [B, H, W, C] to a device as normalized floats [B, C, H, W].

    The result is in channels-last memory order, which costs nothing here and is the faster one.
    """
    image = image.to(device, non_blocking=True).permute(0, 3, 1, 2).float()
    mean, std = _statistics_on(str(device), normalization)
    return image.sub_(mean).div_(std)


@cache
def _statistics_on(device: str, normalization: Normalization) -> tuple[Tensor, Tensor]:
    """Mean and deviation in 0..255, [1, C, 1, 1], copied to a device once: a copy makes it wait."""
    mean, std = (
        torch.tensor(values, device=device).view(1, -1, 1, 1) * 255 for values in normalization
    )
    return mean, std


def send(x: Tensor, device: torch.device) -> Tensor:
    """Copies a tensor to a device, if it is elsewhere; the host does not wait for the device."""
    if x.device.type == "cpu" and device.type == "cuda":
        x = x.pin_memory()
    return x.to(device, non_blocking=True)


def to_device(batch: Batch, device: torch.device | str, normalization: Normalization) -> Batch:
    """Turns a uint8 batch from the loader into the float batch that a method sees."""
    labeled = Labeled(
        normalize(batch.labeled.image, device, normalization),
        batch.labeled.mask.to(device, non_blocking=True).long(),
    )
    labeled_valid = _sent(batch.labeled_valid, device)
    if batch.unlabeled is None:
        return Batch(labeled, None, labeled_valid)
    weak, strong, valid, index, present = batch.unlabeled
    unlabeled = Unlabeled(
        normalize(weak, device, normalization),
        tuple(normalize(view, device, normalization) for view in strong),
        valid.to(device, non_blocking=True),
        index,
        _sent(present, device),
    )
    return Batch(labeled, unlabeled, labeled_valid)


def _sent(x: Tensor | None, device: torch.device | str) -> Tensor | None:
    return None if x is None else x.to(device, non_blocking=True)
