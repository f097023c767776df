"""Gradients averaged over processes while the backward pass is still running.

Networks stay plain modules: what a gradient needs is that its parameter accumulated it, not that
the network was called as a whole. So a method may call parts of a network.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from fewmask.parts import processes

BUCKET = 2**22
"""Numbers in one message, at least: 16 MiB. Fewer would cost latency, more could not overlap."""


class GradientAverage:
    """Averages the gradients of some parameters over processes.

    Args:
        parameters: the same on every process, in the same order.

    Example:
        average = GradientAverage(parameters)
        with average.of_backward():
            loss.backward(inputs=parameters)
    """

    def __init__(self, parameters: Sequence[Tensor]):
        self.channel = processes.SideChannel()
        # Backward reaches the last layers first, so their bucket is full first.
        self.buckets = [Bucket(group) for group in _grouped([*parameters][::-1])]
        self.is_listening = False
        self.started = 0  # buckets whose message is on its way
        for bucket in self.buckets:
            for p in bucket.parameters:
                p.register_post_accumulate_grad_hook(partial(self._arrived, bucket))  # type: ignore[no-untyped-call]

    @contextmanager
    def of_backward(self) -> Iterator[None]:
        """Averages what the backward pass inside leaves in `.grad`."""
        self.started, self.is_listening = 0, True
        for bucket in self.buckets:
            bucket.missing = len(bucket.parameters)
        try:
            yield
        finally:
            self.is_listening = False
        for bucket in self.buckets[self.started :]:  # some of their parameters got no gradient
            bucket.start(self.channel)
        for bucket in self.buckets:
            bucket.finish()

    def _arrived(self, bucket: "Bucket", parameter: Tensor) -> None:
        """Starts every bucket whose turn it is: all processes must send in the same order."""
        if not self.is_listening:
            return
        bucket.missing -= 1
        while self.started < len(self.buckets) and self.buckets[self.started].missing == 0:
            self.buckets[self.started].start(self.channel)
            self.started += 1


class Bucket:
    """Parameters whose gradients travel in one message.

    Args:
        parameters: of one device.
    """

    def __init__(self, parameters: list[Tensor]):
        self.parameters = parameters
        self.missing = len(parameters)  # gradients that this backward pass still owes
        sizes = [p.numel() for p in parameters]
        # One more number per parameter tells whether any process has a gradient for it.
        self.flat = parameters[0].new_zeros(sum(sizes) + len(sizes))
        *pieces, self.is_present = self.flat.split_with_sizes([*sizes, len(sizes)])
        # In the memory order of the parameter, usually channels-last, copies are fastest.
        self.places = [
            piece.as_strided(p.shape, torch.empty_like(p).stride())
            for piece, p in zip(pieces, parameters, strict=True)
        ]

    @torch.no_grad()
    def start(self, channel: processes.SideChannel) -> None:
        """Sends this process's share of the average."""
        self.is_present.fill_(1)
        for i, p in enumerate(self.parameters):
            if p.grad is None:
                self.places[i].zero_()
                self.is_present[i] = 0
        places, gradients = self._both()
        if gradients:
            torch._foreach_copy_(places, gradients)
        self.flat /= processes.world_size()  # before the sum, which could overflow in fp16's scale
        self.wait = channel.start_total(self.flat)

    @torch.no_grad()
    def finish(self) -> None:
        """Waits for the average, and puts it in the place of the gradients."""
        self.wait()
        places, gradients = self._both()
        if gradients:
            torch._foreach_copy_(gradients, places)
        for i, p in enumerate(self.parameters):
            # Reading a number makes a GPU's host wait, but only where a gradient is missing.
            if p.grad is None and self.is_present[i] > 0:
                p.grad = self.places[i].clone()

    def _both(self) -> tuple[list[Tensor], list[Tensor]]:
        """Places in the message, and the gradients that belong there."""
        pairs = [(x, p.grad) for x, p in zip(self.places, self.parameters, strict=True)]
        present = [(place, gradient) for place, gradient in pairs if gradient is not None]
        return [place for place, _ in present], [gradient for _, gradient in present]


def _grouped(parameters: list[Tensor]) -> Iterator[list[Tensor]]:
    """Consecutive parameters, enough to fill a bucket."""
    group: list[Tensor] = []
    for p in parameters:
        group.append(p)
        if sum(x.numel() for x in group) >= BUCKET:
            yield group
            group = []
    if group:
        yield group
