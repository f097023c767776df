"""Pairs labeled and unlabeled images into batches that are a pure function of the step.

The sample at position p of step s depends on (seed, s, p) alone, and not on workers, processes or
history. So `stream[s]` replays any step, a resume needs only a step number, and any number of
processes share the same global batch.
"""

import warnings
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch.utils.data import Dataset as TorchDataset

from fewmask.batch import (
    IGNORE,
    IMAGENET,
    Batch,
    Labeled,
    Normalization,
    Unlabeled,
    Views,
)
from fewmask.config import BaseConfig, ascending
from fewmask.data.dataset import Dataset
from fewmask.data.images import resize_mask
from fewmask.data.source import Data
from fewmask.data.views.strong import find_strong_view, strong_view, strong_views
from fewmask.data.views.weak import (
    Placement,
    ScaleDraw,
    draw_placement,
    draw_scale,
    valid_pixels,
    weak_image,
    weak_mask,
)
from fewmask.errors import UserError

# Each use of randomness has its own number in the seeds. The trainer's is 2.
LABELED, UNLABELED, CLASSES = 0, 1, 3
TRIES = 8
"""How many crops are drawn to find one that shows a wanted class, and how many images of a pool
are tried to find one that can be read."""


Factor = Annotated[float, Field(gt=0, le=100)]


class LoaderConfig(BaseConfig):
    """What goes into a batch."""

    crop: int = Field(default=321, ge=8, le=8192)
    """Side of the square views, in pixels."""
    scale: Annotated[tuple[Factor, Factor], AfterValidator(ascending)] = (0.5, 2.0)
    """Smallest and largest factor of the random scaling before the crop."""
    scale_draw: ScaleDraw = "uniform"
    """How the factor is drawn from its range: `uniform`; `halves`, shrinking and enlarging equally
    often (U2PL, PCR, GTA-Seg); or `quarters`, in steps of 0.25 (PseudoSeg)."""
    class_balanced: bool = False
    """Draws labeled crops so that each class is wanted equally often, however rare it is."""
    labeled_view: str | None = None
    """The strong view in which labeled crops are shown, such as unimatch: other colors, which a
    network with few labels needs. null shows them as they are."""
    labeled_batch: int = Field(default=8, ge=1, le=65536)
    """Labeled images per step, over all processes and accumulation rounds together."""
    unlabeled_batch: int = Field(default=8, ge=1, le=65536)
    """Unlabeled images per step, over all processes and accumulation rounds together."""


class BatchStream(TorchDataset[Batch]):
    """The batches of a run by step, as uint8 (see `fewmask.batch.to_device`).

    Args:
        data: the labeled and unlabeled sets.
        config: crop, scale and batch sizes.
        views: what the method asks for, or None if it uses labeled images only.
        seed: the run's seed.
        share: (k, n): this stream gives the k-th of n equal shares of each global batch.
        normalization: what the network expects, with as many bands as the images have. Padding has
            the color that becomes 0.

    Raises:
        UserError: for a strong view that does not exist.

    Example:
        stream = BatchStream(data, LoaderConfig(), Views(strong=("imas",)), seed=0)
        batch = stream[1000]  # the batch of step 1000
    """

    def __init__(
        self,
        data: Data,
        config: LoaderConfig,
        views: Views | None,
        seed: int,
        share: tuple[int, int] = (0, 1),
        normalization: Normalization = IMAGENET,
    ):
        self.labeled, self.unlabeled = data.labeled, data.unlabeled
        self.image_labels, self.num_classes = data.image_labels, len(data.classes)
        self.config, self.views, self.seed, self.share = config, views, seed, share
        self.normalization, self.padding = normalization, normalization.color()
        self._has_skipped = False
        # Found here and not when needed, so that a wrong name fails before training starts.
        own = config.labeled_view
        self.labeled_view = None if own is None else find_strong_view(own)
        self.strong_views = [] if views is None else strong_views(views)
        if views is not None and views.crop_labels:
            _require_masks(self.unlabeled)

    def __getitem__(self, step: int) -> Batch:
        """This stream's share of the batch of a step."""
        labeled = [self._labeled(step, p) for p in self._positions(self.config.labeled_batch)]
        images, masks, valid = zip(*labeled, strict=True)
        unlabeled = None if self.views is None else self._unlabeled_batch(step)
        return Batch(Labeled(_stack(images), _stack(masks)), unlabeled, _stack(valid))

    def _unlabeled_batch(self, step: int) -> Unlabeled:
        samples = [self._unlabeled(step, p) for p in self._positions(self.config.unlabeled_batch)]
        weak, strong, valid, index, present = zip(*samples, strict=True)
        return Unlabeled(
            _stack(weak),
            tuple(_stack(view) for view in zip(*strong, strict=True)),
            _stack(valid),
            torch.tensor(index),
            None if present[0] is None else _stack(present),
        )

    def _positions(self, global_batch: int) -> range:
        share, shares = self.share
        size = global_batch // shares
        return range(share * size, (share + 1) * size)

    def _draw(self, stream: int, step: int, position: int) -> int:
        """The image at a position. Each epoch has a new order, with every image once."""
        dataset, batch = (
            (self.labeled, self.config.labeled_batch)
            if stream == LABELED
            else (self.unlabeled, self.config.unlabeled_batch)
        )
        epoch, place = divmod(step * batch + position, len(dataset))
        # Steps take the small numbers in the seeds, so epochs start far above them.
        return dataset.index_at(place, (self.seed, stream, 2**32 + epoch))

    def _rng(self, stream: int, step: int, position: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, stream, step, position))

    def _pick(self, step: int, position: int) -> tuple[int, int | None]:
        """The labeled image at a position, and the class that its crop should show, if any."""
        if not self.config.class_balanced:
            return self._draw(LABELED, step, position), None
        # Its own stream of numbers, so that the option leaves the other draws as they are.
        rng = self._rng(CLASSES, step, position)
        label = int(rng.choice(list(self._images_with)))
        return int(rng.choice(self._images_with[label])), label

    @cached_property
    def _images_with(self) -> dict[int, list[int]]:
        """The labeled images that show each class. All masks are read once for it."""
        found: dict[int, list[int]] = {}
        for index in range(len(self.labeled)):
            for label in np.unique(self.labeled.mask(index)).tolist():
                if label != IGNORE:
                    found.setdefault(label, []).append(index)
        if not found:
            raise UserError(
                "loader.class_balanced=true: the labeled masks hold no label at all. Label some "
                "pixels, or leave the option out."
            )
        return dict(sorted(found.items()))

    def _labeled(self, step: int, position: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        index, wanted = self._pick(step, position)
        image = self.labeled.image(index)
        mask = _mask(self.labeled, index, image)
        rng = self._rng(LABELED, step, position)
        crop = self.config.crop
        scale = draw_scale(rng, self.config.scale, self.config.scale_draw)
        place = draw_placement(rng, mask.shape, crop, scale)
        for _ in range(TRIES if wanted is not None else 0):
            if (mask[place.top : place.bottom, place.left : place.right] == wanted).any():
                break
            place = draw_placement(rng, mask.shape, crop, scale)
        view = weak_image(image, place, crop, self.padding)
        if self.labeled_view is not None:
            view = strong_view(self.labeled_view, view, rng)
        return view, weak_mask(mask, place, crop), valid_pixels(place, crop)

    def _unlabeled(self, step: int, position: int) -> tuple[Any, ...]:
        index, image = self._readable(self._draw(UNLABELED, step, position))
        rng = self._rng(UNLABELED, step, position)
        crop = self.config.crop
        scale = draw_scale(rng, self.config.scale, self.config.scale_draw)
        place = draw_placement(rng, image.shape[:2], crop, scale)
        weak = weak_image(image, place, crop, self.padding)
        strong = tuple(strong_view(view, weak, rng) for view in self.strong_views)
        return weak, strong, valid_pixels(place, crop), index, self._present(index, image, place)

    def _present(self, index: int, image: np.ndarray, place: Placement) -> np.ndarray | None:
        """The classes in an unlabeled image, bool [K], or in its crop; None if nobody knows."""
        if self.views is not None and self.views.crop_labels:
            mask = weak_mask(_mask(self.unlabeled, index, image), place, self.config.crop)
            return np.isin(np.arange(self.num_classes), mask)
        return None if self.image_labels is None else self.image_labels[index]

    def _readable(self, index: int) -> tuple[int, np.ndarray]:
        """An unlabeled image. In a pool, one that cannot be read is replaced by the next."""
        tries = TRIES if self.unlabeled.is_pool else 1
        # The next image, and not a random one: it follows from the index alone, in any process.
        for left in reversed(range(tries)):
            try:
                return index, self.unlabeled.image(index)
            except UserError as error:
                if left == 0:
                    raise
                self._tell_skipped(error)
                index = (index + 1) % len(self.unlabeled)
        raise AssertionError

    def _tell_skipped(self, error: UserError) -> None:
        """Warns of the first image that is skipped: a pool may hold thousands."""
        if not self._has_skipped:
            warnings.warn(f"Skipped an image, and will skip others like it. {error}", stacklevel=1)
        self._has_skipped = True


def _mask(dataset: Dataset, index: int, image: np.ndarray) -> np.ndarray:
    """The mask of an image, at its size."""
    mask, (height, width) = dataset.mask(index), image.shape[:2]
    if mask.shape != (height, width):  # with a long_side, masks keep their size until here
        mask = resize_mask(mask, (width, height))
    return mask


def _require_masks(dataset: Dataset) -> None:
    """Refuses unlabeled images without masks, if masks are to tell which classes crops show."""
    try:
        dataset.mask(0)
    except AssertionError:
        raise UserError(
            "method.ablation.crop_labels=true reads the classes in unlabeled crops from masks, but "
            f"the image {dataset.names[0]} has none. Set data.image_labels instead."
        ) from None


def _stack(arrays: Any) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))
