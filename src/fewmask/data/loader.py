"""Loads the batches of a run ahead of time, in processes of their own."""

import os
import pickle
import signal
import threading
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info
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
    steps, workers = range(first_step, last_step), min(workers, last_step - first_step)
    try:
        loaded = _started(streams, steps, workers, pin)
    except OSError as error:  # starting processes needs a little shared memory too
        warnings.warn(f"Images are loaded between the steps ({error}). {MORE}", stacklevel=1)
        yield from load_batches(streams, first_step, last_step, workers=0, pin=pin)
        return
    has_told = False
    try:
        for found in loaded:
            if isinstance(found, UserError):
                raise found
            if isinstance(found, bytes):
                if not has_told:
                    warnings.warn(f"Batches take a slow way. {MORE}", stacklevel=1)
                found, has_told = pickle.loads(found), True  # our own process wrote it
            yield found
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            "A process that loads images has died, most likely for lack of memory or of shared "
            "memory. In a container, allow more shared memory (docker run --shm-size=8g). "
            "Otherwise use fewer processes (machine.workers=1) or none (machine.workers=0)."
        ) from error
    finally:
        del loaded  # ends the workers now, whoever keeps this frame alive


def _started(streams: list[BatchStream], steps: range, workers: int, pin: bool) -> Iterator[Any]:
    # An item is a whole step already, so batch_size is None.
    return iter(
        DataLoader(
            _Rounds(streams), None, sampler=steps, num_workers=workers, pin_memory=pin,
            worker_init_fn=_outlive_one_signal,
        )
    )  # fmt: skip


LAST_SECONDS = 5.0
"""For which a worker goes on after a signal."""
MORE = (
    "Shared memory (/dev/shm) is too small. In a container, allow more of it (docker run "
    "--shm-size=8g), or set machine.workers=0."
)


def _outlive_one_signal(worker: int) -> None:
    """Lets a run end in good order when a signal reaches all of its processes at once.

    It may still wait for the batch of the step in progress. As nobody can tell whether it was the
    run itself that ends its workers, they do not stay for long.
    """

    def receive(number: int, frame: FrameType | None) -> None:
        end = threading.Timer(LAST_SECONDS, os._exit, [0])
        end.daemon = True
        end.start()

    signal.signal(signal.SIGTERM, receive)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Rounds(TorchDataset[list[Batch] | UserError | bytes]):
    """The accumulation rounds of each step together, so that a worker loads a step at a time."""

    def __init__(self, streams: list[BatchStream]):
        self.streams = streams

    def __getitem__(self, step: int) -> list[Batch] | UserError | bytes:
        # The error is returned: one raised in a worker would arrive as another type.
        try:
            batches = [stream[step] for stream in self.streams]
        except UserError as error:
            return error
        return batches if get_worker_info() is None else _shared(batches)


def _shared(batches: list[Batch]) -> list[Batch] | bytes:
    """Batches in shared memory; as bytes if it is full.

    The loader would do the same later, in a thread of its own. If that fails, the batch is lost,
    and training waits for it without end.
    """
    try:
        for tensor in _tensors(batches):
            tensor.share_memory_()  # type: ignore[no-untyped-call]
    except (RuntimeError, OSError):
        return pickle.dumps(batches)
    return batches


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
