"""Times steps of a network in bf16 and in fp32 on a CPU, and remembers which were faster."""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from fewmask import atomic, version
from fewmask.atomic import parse_json, read_text
from fewmask.data.cache import cache_folder
from fewmask.engine.devices import processor

ROUNDS = 5
"""Steps in each precision, after one to warm up."""
PATIENCE = 20.0
"""Seconds after which no further round begins."""
MOST_PIXELS = 2**18
"""Pixels in a rehearsed batch, so that a rehearsal takes seconds: 2 images of 362 x 362. What
counts is the ratio, which hardly depends on the number of images."""
FORMAT = 1
"""Counts changes of what is measured."""


class Timing(NamedTuple):
    """Seconds of a step."""

    bf16: float
    fp32: float

    @property
    def faster(self) -> str:
        """The precision of the shorter step: bf16 or fp32."""
        return "bf16" if self.bf16 <= self.fp32 else "fp32"

    def in_words(self) -> str:
        """Such as `bf16: 160 ms a step, fp32 239 ms`."""
        other = "fp32" if self.faster == "bf16" else "bf16"
        return (
            f"{self.faster}: {1000 * getattr(self, self.faster):,.0f} ms a step, "
            f"{other} {1000 * getattr(self, other):,.0f} ms"
        )

    @classmethod
    def kept_in(cls, file: Path) -> Self | None:
        """Reads an earlier measurement; None if there is none, or it is damaged."""
        try:
            kept = parse_json(read_text(file))
            timing = cls(float(kept["bf16"]), float(kept["fp32"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return timing if min(timing) > 0 else None


class Workload(NamedTuple):
    """What is timed: everything that the time of a step depends on."""

    network: str
    """Its settings in words."""
    images: tuple[int, int, int, int]
    """[B, C, H, W]"""
    threads: int

    @classmethod
    def of(cls, network: str, shape: tuple[int, int, int, int], threads: int) -> Self:
        """With as few images as keep it short, but with two: BatchNorm needs them."""
        images, bands, height, width = shape
        few = max(2, min(images, MOST_PIXELS // (height * width)))
        return cls(network, (few, bands, height, width), threads)

    def file(self) -> Path:
        """Where the result is kept."""
        facts = (FORMAT, version.__version__, torch.__version__, processor(), *self)
        digest = hashlib.sha256(repr(facts).encode()).hexdigest()
        return cache_folder() / "precision" / f"{digest}.json"

    def is_known(self) -> bool:
        """Whether it has been timed before."""
        return Timing.kept_in(self.file()) is not None


def time_precisions(workload: Workload, build: Callable[[], nn.Module]) -> tuple[Timing, bool]:
    """Times a network's steps in both precisions, or finds an earlier measurement.

    Leaves the random state of torch and the number of threads as they were.

    Args:
        workload: what to time.
        build: makes the network, which is called with images and returns an `Output`.

    Returns:
        The times, and whether they were measured now.
    """
    file = workload.file()
    kept = Timing.kept_in(file)
    if kept is not None:
        return kept, False
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(workload.threads)
        try:
            timing = _rehearse(build().train(), torch.randn(workload.images))
        finally:
            torch.set_num_threads(threads)
    with suppress(OSError):  # a read-only home: measured again next time
        atomic.write_text(file, json.dumps(timing._asdict()))
    return timing, True


def _rehearse(network: nn.Module, images: Tensor) -> Timing:
    """The two precisions take turns, so that a slow moment of the machine hits both."""
    channels_last = torch.channels_last  # as in training
    network.to(memory_format=channels_last)  # type: ignore[call-overload]
    images = images.contiguous(memory_format=channels_last)
    warm_up = Timing(_step(network, images, True), _step(network, images, False))
    rounds = [warm_up] if sum(warm_up) > PATIENCE else []
    while not rounds or (len(rounds) < ROUNDS and sum(map(sum, rounds)) < PATIENCE):
        rounds.append(Timing(_step(network, images, True), _step(network, images, False)))
    # The fastest step of each is the one that nothing else on the machine has held up.
    return Timing(*(min(side) for side in zip(*rounds, strict=True)))


def _step(network: nn.Module, images: Tensor, in_bf16: bool) -> float:
    """Seconds of a forward and a backward pass."""
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16):
        output = network(images)
    output.logits.float().square().mean().backward()
    network.zero_grad()
    return time.perf_counter() - start
