"""Loads the batches of a run ahead of time, in processes of their own."""

from collections.abc import Iterator

from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from fewmask.batch import Batch
from fewmask.data.stream import BatchStream
from fewmask.errors import UserError


def load_batches(
    streams: list[BatchStream], first_step: int, last_step: int, workers: int, pin: bool
) -> Iterator[list[Batch]]:
    """Loads the batches of steps [first, last) in order, ahead of time in `workers` processes.

    Args:
        streams: one per accumulation round. Each step gives one batch of each.
        first_step: the first step to load, which is not 0 after a resume.
        last_step: the step to stop before.
        workers: loader processes. 0 loads in this process.
        pin: whether to use page-locked memory, for a GPU.

    Raises:
        UserError: if a file has become unreadable, or a loader process has died.
    """
    rounds = _Rounds(streams)
    loader = DataLoader(
        rounds,
        batch_size=None,  # an item is a whole step already
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
            "A process that loads images has died, most likely for lack of memory or of shared "
            "memory. In a container, allow more shared memory (docker run --shm-size=8g). "
            "Otherwise use fewer processes (machine.workers=1) or none (machine.workers=0)."
        ) from error


class _Rounds(TorchDataset[list[Batch] | UserError]):
    """The accumulation rounds of each step together, so that a worker loads a step at a time."""

    def __init__(self, streams: list[BatchStream]):
        self.streams = streams

    def __getitem__(self, step: int) -> list[Batch] | UserError:
        # The error is returned: one raised in a worker would arrive as another type.
        try:
            return [stream[step] for stream in self.streams]
        except UserError as error:
            return error
