"""Pairs the labeled and the unlabeled stream into batches that are a pure function of the step.

What sample stands at position p of step s depends on (seed, s, p) alone: not on workers, processes
or history. So `stream[s]` replays any step, resuming needs a step number only, and however many
processes share a global batch, it is the same batch.
"""

import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from fewmask.batch import IGNORE, Batch, Labeled, Unlabeled, Views
from fewmask.config import BaseConfig
from fewmask.data.dataset import Data
from fewmask.data.images import resize_mask
from fewmask.data.order import shuffled
from fewmask.data.pool.name_index import PoolNames
from fewmask.data.pool.shards import ShardPool
from fewmask.data.views.strong import strong_view
from fewmask.data.views.weak import (
    ScaleDraw,
    draw_placement,
    draw_scale,
    valid_pixels,
    weak_image,
    weak_mask,
)
from fewmask.errors import UserError

LABELED, UNLABELED = 0, 1  # the streams' numbers in the seeds; 2 is the trainer's
CLASSES = 3
TRIES = 8
"""Crops drawn to find one that shows the class that is looked for; images of a pool to find one
that can be read."""


class LoaderConfig(BaseConfig):
    """What goes into a batch."""

    crop: int = Field(default=321, ge=8)
    """Side of the square views, in pixels."""
    scale: tuple[float, float] = (0.5, 2.0)
    """Range of the random scaling before the crop."""
    scale_draw: ScaleDraw = "uniform"
    """How the scale is drawn from its range: evenly; shrinking and enlarging equally often
    (halves: U2PL, PCR, GTA-Seg); or in steps of 0.25 (quarters: PseudoSeg)."""
    class_balanced: bool = False
    """Draws labeled crops so that each class is looked for equally often, however rare it is."""
    labeled_batch: int = Field(default=8, ge=1)
    """Labeled images per step, over all processes and accumulation rounds together."""
    unlabeled_batch: int = Field(default=8, ge=1)
    """Unlabeled images per step, over all processes and accumulation rounds together."""


class BatchStream(TorchDataset[Batch]):
    """The batches of a run, by step; uint8, see `fewmask.batch.to_device`.

    Args:
        data: the labeled and unlabeled sets.
        config: crop, scale and batch sizes.
        views: what the method asks for, or None if it uses labeled images only.
        seed: the run's.
        share: (k, n): this stream gives the k-th of n equal parts of each global batch.

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
    ):
        self.labeled, self.unlabeled = data.labeled, data.unlabeled
        self.image_labels = data.image_labels
        self.config, self.views, self.seed, self.share = config, views, seed, share

    def __getitem__(self, step: int) -> Batch:
        """This stream's part of the batch of a step."""
        labeled = [self._labeled(step, p) for p in self._positions(self.config.labeled_batch)]
        images, masks = zip(*labeled, strict=True)
        unlabeled = None
        if self.views is not None:
            samples = [
                self._unlabeled(step, p) for p in self._positions(self.config.unlabeled_batch)
            ]
            weak, strong, valid, index = zip(*samples, strict=True)
            unlabeled = Unlabeled(
                _stack(weak),
                tuple(_stack(view) for view in zip(*strong, strict=True)),
                _stack(valid),
                torch.tensor(index),
                None if self.image_labels is None else _stack(self.image_labels[list(index)]),
            )
        return Batch(Labeled(_stack(images), _stack(masks)), unlabeled)

    def names(self, step: int) -> tuple[list[str], list[str]]:
        """The names of the labeled and unlabeled images of a step's part, without reading them."""
        cfg = self.config
        labeled = [self._pick(step, p)[0] for p in self._positions(cfg.labeled_batch)]
        unlabeled = [] if self.views is None else self._positions(cfg.unlabeled_batch)
        drawn = [self._draw(UNLABELED, step, p) for p in unlabeled]
        return [self.labeled.names[i] for i in labeled], [self.unlabeled.names[i] for i in drawn]

    def _positions(self, global_batch: int) -> range:
        part, parts = self.share
        size = global_batch // parts
        return range(part * size, (part + 1) * size)

    def _draw(self, stream: int, step: int, position: int) -> int:
        """Which image stands at a position: the set in a new order each epoch, each image once."""
        dataset, batch = (
            (self.labeled, self.config.labeled_batch)
            if stream == LABELED
            else (self.unlabeled, self.config.unlabeled_batch)
        )
        epoch, place = divmod(step * batch + position, len(dataset))
        key = (self.seed, stream, 2**32 + epoch)
        if isinstance(dataset, ShardPool):
            return dataset.at(place, key)
        return shuffled(place, len(dataset), key)

    def _rng(self, stream: int, step: int, position: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, stream, step, position))

    def _pick(self, step: int, position: int) -> tuple[int, int | None]:
        """Which labeled image stands at a position, and the class to look for in it, if any."""
        if not self.config.class_balanced:
            return self._draw(LABELED, step, position), None
        rng = self._rng(CLASSES, step, position)
        label = int(rng.choice(list(self._images_with)))
        return int(rng.choice(self._images_with[label])), label

    @cached_property
    def _images_with(self) -> dict[int, list[int]]:
        """The labeled images that show each class; reads all their masks once."""
        found: dict[int, list[int]] = {}
        for index in range(len(self.labeled)):
            for label in np.unique(self.labeled.mask(index)).tolist():
                if label != IGNORE:
                    found.setdefault(label, []).append(index)
        if not found:
            raise UserError("loader.class_balanced: the labeled masks hold no label at all.")
        return dict(sorted(found.items()))

    def _labeled(self, step: int, position: int) -> tuple[np.ndarray, np.ndarray]:
        index, wanted = self._pick(step, position)
        image, mask = self.labeled.image(index), self.labeled.mask(index)
        height, width = image.shape[:2]
        if mask.shape != (height, width):  # a long_side is set: masks keep their size until here
            mask = resize_mask(mask, (width, height))
        rng = self._rng(LABELED, step, position)
        crop = self.config.crop
        scale = draw_scale(rng, self.config.scale, self.config.scale_draw)
        place = draw_placement(rng, mask.shape, crop, scale)
        for _ in range(TRIES if wanted is not None else 0):
            if (mask[place.top : place.bottom, place.left : place.right] == wanted).any():
                break
            place = draw_placement(rng, mask.shape, crop, scale)
        return weak_image(image, place, crop), weak_mask(mask, place, crop)

    def _unlabeled(self, step: int, position: int) -> tuple[Any, ...]:
        assert self.views is not None
        index, image = self._readable(self._draw(UNLABELED, step, position))
        rng = self._rng(UNLABELED, step, position)
        crop = self.config.crop
        scale = draw_scale(rng, self.config.scale, self.config.scale_draw)
        place = draw_placement(rng, image.shape[:2], crop, scale)
        weak = weak_image(image, place, crop)
        strong = tuple(strong_view(name, weak, rng) for name in self.views.strong)
        return weak, strong, valid_pixels(place, crop), index

    def _readable(self, index: int) -> tuple[int, np.ndarray]:
        """An unlabeled image; of a pool, which was not checked whole, the next that can be read."""
        tries = TRIES if isinstance(self.unlabeled.names, PoolNames) else 1
        for left in reversed(range(tries)):
            try:
                return index, self.unlabeled.image(index)
            except UserError as error:
                if left == 0:
                    raise
                warnings.warn(f"Passed over. {error}", stacklevel=1)
                index = (index + 1) % len(self.unlabeled)
        raise AssertionError


def _stack(arrays: Any) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))


def load_batches(
    streams: list[BatchStream], first_step: int, last_step: int, workers: int, pin: bool
) -> Iterator[list[Batch]]:
    """Loads the batches of steps [first, last) in order, ahead of time in `workers` processes.

    Args:
        streams: one per accumulation round; each step gives one batch of each.
        first_step: where to start, after a resume not 0.
        last_step: the step to stop before.
        workers: loader processes; 0 loads in this one.
        pin: whether to use page-locked memory, for a GPU.

    Raises:
        UserError: if a file has become unreadable, or a loader process has died.
    """
    rounds = _Rounds(streams)
    loader = DataLoader(
        rounds,
        batch_size=None,
        sampler=range(first_step, last_step),
        num_workers=min(workers, last_step - first_step),
        pin_memory=pin,
        persistent_workers=False,
    )
    try:
        for found in loader:
            if isinstance(found, UserError):
                raise found
            yield found
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            "A process that loads images has died, most often for want of memory or of shared "
            "memory (in a container: give it more, such as docker run --shm-size=8g). Go on with "
            "fewer: machine.workers=1, or none: machine.workers=0."
        ) from error


class _Rounds(TorchDataset[list[Batch] | UserError]):
    """The accumulation rounds of each step together, so that one worker call loads one step."""

    def __init__(self, streams: list[BatchStream]):
        self.streams = streams

    def __getitem__(self, step: int) -> list[Batch] | UserError:  # raised, it would lose its words
        try:
            return [stream[step] for stream in self.streams]
        except UserError as error:
            return error
