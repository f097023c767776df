"""The batches that a run reads: of training, of the labeled set, of validation images."""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from fewmask.batch import Labeled, Normalization, Progress, Views, to_device
from fewmask.data import BatchStream, Data, LoaderConfig
from fewmask.engine.settings import Settings
from fewmask.errors import UserError
from fewmask.parts import processes


def training_streams(
    data: Data, settings: Settings, views: Views | None, normalization: Normalization
) -> list[BatchStream]:
    """This process's share of the batches, one stream per accumulation round.

    Raises:
        UserError: if a batch cannot be divided equally, or leaves BatchNorm a single image.
    """
    devices, rounds = processes.world_size(), settings.training.accumulate or 1
    _require_equal_shares(settings.loader, devices, rounds)
    # Round by round, then process by process: each process reads neighboring images of the batch.
    shares = [(i * devices + processes.rank(), devices * rounds) for i in range(rounds)]
    return [
        BatchStream(data, settings.loader, views, settings.seed, share, normalization)
        for share in shares
    ]


def _require_equal_shares(loader: LoaderConfig, devices: int, rounds: int) -> None:
    shares = devices * rounds
    for name in ("labeled_batch", "unlabeled_batch"):
        batch = getattr(loader, name)
        if batch % shares:
            raise UserError(
                f"loader.{name}={batch} cannot be divided by {devices} device(s) x "
                f"{rounds} accumulation round(s). Choose a multiple of {shares}."
            )
    if loader.labeled_batch // rounds < 2:
        raise UserError(
            f"loader.labeled_batch={loader.labeled_batch} leaves one image to normalize over "
            "(BatchNorm after image pooling needs two). Use 2 or more per accumulation round."
        )


def steps_per_epoch(data: Data, loader: LoaderConfig, views: Views | None) -> int:
    """Steps in one pass over the unlabeled images, or over the labeled ones if no others are used.

    At least 1, also if a batch is larger than the set.
    """
    if views is None:
        return max(1, len(data.labeled) // loader.labeled_batch)
    return max(1, len(data.unlabeled) // loader.unlabeled_batch)


def progress_at_start(data: Data, settings: Settings, views: Views | None) -> Progress:
    """How far a run is before its first step."""
    return Progress(0, settings.training.steps, steps_per_epoch(data, settings.loader, views))


class LabeledPass:
    """This process's share of one pass over the labeled set; the last batch may wrap around.

    Nothing is read unless someone iterates over it.

    Args:
        data: holds the labeled set.
        settings: loader and seed.
        device: where the batches are needed.
        normalization: what the network expects.
    """

    def __init__(
        self, data: Data, settings: Settings, device: torch.device, normalization: Normalization
    ):
        self.device = device
        share, loader = _own_share(), settings.loader
        self.stream = BatchStream(data, loader, None, settings.seed, share, normalization)
        self.batches = math.ceil(len(data.labeled) / settings.loader.labeled_batch)

    def __iter__(self) -> Iterator[Labeled]:
        for number in range(self.batches):
            yield to_device(self.stream[number], self.device, self.stream.normalization).labeled


def validation_stream(
    data: Data, loader: LoaderConfig, normalization: Normalization
) -> BatchStream:
    """Batches that hold validation images in place of labeled ones; nobody trains on them."""
    # Balanced crops would show rare classes more often than they are, and other colors mislead.
    plain = loader.model_copy(update={"class_balanced": False, "labeled_view": None})
    val = replace(data, labeled=data.val)
    # The seed is fixed, so that every run is judged on the same crops.
    return BatchStream(val, plain, Views(), 0, _own_share(), normalization)


def _own_share() -> tuple[int, int]:
    return processes.rank(), processes.world_size()
