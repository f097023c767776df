"""A training step of a method, taken by the trainer of a run."""

import time
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.photos import NUM_CLASSES, write_photos
from fewmask.batch import Progress, to_device
from fewmask.cli.words import recipe_from_words
from fewmask.config import find
from fewmask.data import Classes, Data
from fewmask.engine.compiling import eagerly
from fewmask.engine.launch import launch
from fewmask.engine.memory import forget_peak_memory, peak_memory
from fewmask.engine.stopwatch import wait_for
from fewmask.methods import METHODS
from fewmask.recipes import settle
from fewmask.runs.build import build_method, make_trainer

YARDSTICK = "mean teacher"
LATE = {"warmup_epochs": 0, "copy_epochs": 0, "threshold": 0.0, "ignore_background": False}
"""Puts a method past its warm-up and makes it confident everywhere, as late in a run."""


class Step:
    """The trainer of a method, and a batch of photos on the device.

    Args:
        name: the method.
        words: the options of its recipe.
        folder: where the photos are written.
    """

    def __init__(self, name: str, words: list[str], folder: str):
        files = write_photos(Path(folder))
        data = Data(Classes([str(i) for i in range(NUM_CLASSES)]), files, files, files)
        recipe, _ = settle(recipe_from_words([*words, *_late(name)]), data)

        def build(fabric: Fabric) -> Any:
            method = build_method(recipe, NUM_CLASSES, pretrained=False)
            return make_trainer(fabric, recipe, method, data, Path())

        self.trainer = launch(recipe.machine, recipe.training.precision, build)
        self.device = self.trainer.fabric.device
        self.batch = to_device(self.trainer.streams[0][0], self.device, self.trainer.normalization)
        self.progress = Progress(0, recipe.training.steps, 1)
        self.trainer.method.prepare([self.batch.labeled], self.progress)

    def seconds(self, steps: int) -> float:
        """The time of one step, averaged over `steps`."""
        # Threads of another process spin for a while after their work, and would take a core.
        time.sleep(0.05)
        wait_for(self.device)
        start = time.perf_counter()
        for _ in range(steps):
            torch.manual_seed(self.progress.step)
            self.trainer.method.step(self.batch, self.trainer.minimizer, self.progress)
            self.progress = self.progress._replace(step=self.progress.step + 1)
        wait_for(self.device)
        return (time.perf_counter() - start) / steps

    def peak(self) -> float:
        """Peak memory in GiB: of a step on a GPU, of the whole process on a CPU."""
        forget_peak_memory(self.device)
        self.seconds(2)
        return peak_memory(self.device)

    def parameters(self) -> int:
        """Parameters of the network that is trained."""
        return sum(p.numel() for p in self.trainer.method.student.parameters())

    def flop(self) -> int:
        """Floating-point operations of the matrix products and convolutions in a step."""
        # The counter does not see into compiled graphs.
        with eagerly(), FlopCounterMode(display=False) as counter:
            self.seconds(1)
        return int(counter.get_total_flops())

    def machine(self) -> tuple[torch.device, torch.dtype]:
        """The device of the networks, and the type that they compute in."""
        with self.trainer.fabric.autocast():
            is_mixed = torch.is_autocast_enabled(self.device.type)
            dtype = torch.get_autocast_dtype(self.device.type) if is_mixed else torch.float32
        return self.device, dtype

    def loading(self) -> float:
        """Seconds to load a batch on one core."""
        stream, count = self.trainer.streams[0], 4
        start = time.perf_counter()
        for i in range(count):
            stream[i]
        return (time.perf_counter() - start) / count


def _late(name: str) -> list[str]:
    """The options that name the method and bring it late into its run."""
    method = "benchmarks.mean_teacher:MeanTeacher" if name == YARDSTICK else name
    known = find(method, METHODS, "method").Config.model_fields
    late = [f"method.{key}={value}".lower() for key, value in LATE.items() if key in known]
    return [f"method={method}", *late]
