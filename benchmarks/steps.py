"""What a training step of each method costs, as a run takes it: time, memory, arithmetic."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer
from lightning_fabric import Fabric
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import limits
from benchmarks.apart import Apart
from benchmarks.loader import photos
from fewmask.batch import Batch, Progress, StepReport, Views, to_device
from fewmask.cli.words import recipe_from_words
from fewmask.config import find
from fewmask.data import Classes, Data
from fewmask.engine.compiling import eagerly
from fewmask.engine.launch import launch
from fewmask.engine.memory import forget_peak_memory, peak_memory
from fewmask.engine.stopwatch import wait_for
from fewmask.methods import METHODS, Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts.losses import cross_entropy
from fewmask.parts.pseudo_labels import pseudo_label
from fewmask.parts.teacher import Teacher
from fewmask.recipes import settle
from fewmask.runs.build import build_method, make_trainer

NUM_CLASSES = 21
YARDSTICK = "mean teacher"
LATE = {"warmup_epochs": 0, "copy_epochs": 0, "threshold": 0.0, "ignore_background": False}
"""Methods past their warm-up and sure of everything: iMAS then mixes, as it does late in a run."""


def main(
    methods: Annotated[
        list[str] | None, typer.Argument(help="All that are built in, by default.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="As in model.encoder.")] = "resnet101s",
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 321,
    batch: Annotated[int, typer.Option(help="Labeled, and as many unlabeled images.")] = 2,
    precision: Annotated[str, typer.Option(help="As in training.precision.")] = "auto",
    compiled: Annotated[bool, typer.Option("--compile", help="With training.compile.")] = False,
    rounds: Annotated[int, typer.Option(help="Of each in turn with the mean teacher.")] = 5,
    steps: Annotated[int, typer.Option(help="Steps in a round; 10 on a GPU.")] = 1,
) -> None:
    """Time steps of all methods beside a plain mean teacher's; memory, share of the limit."""
    words = [
        "data=synthetic", f"model.encoder={encoder}", "model.output_stride=16",
        f"loader.crop={crop}", f"loader.labeled_batch={batch}", f"loader.unlabeled_batch={batch}",
        f"training.precision={precision}", f"training.compile={compiled}".lower(),
    ]  # fmt: skip
    print(f"{encoder}, stride 16, crop {crop}, {batch} + {batch} images, {NUM_CLASSES} classes")
    with TemporaryDirectory(prefix="steps-") as folder:
        for name in (YARDSTICK, *(methods or METHODS)):
            with (
                Apart(Step, name, words, folder) as step,
                Apart(Step, YARDSTICK, words, folder) as yardstick,
            ):
                print(f"{name}: {_measure(step, yardstick, rounds, steps)}", flush=True)


def _measure(step: Apart, yardstick: Apart, rounds: int, steps: int) -> str:
    gib, flop = step.apply(Step.peak), step.apply(Step.flop)
    device, dtype = step.apply(Step.machine)
    yardstick.apply(Step.seconds, 3)  # warms up, as the other has
    pairs = [(a.apply(Step.seconds, steps) for a in (step, yardstick)) for _ in range(rounds)]
    times = [tuple(pair) for pair in pairs]
    seconds, ratio = median(a for a, _ in times), median(a / b for a, b in times)
    share = flop / seconds / limits.matrix_rate(dtype, device)
    loading = step.apply(Step.loading)
    workers = math.ceil(loading / seconds)
    return (
        f"{1000 * seconds:.0f} ms a step, {ratio:.2f} x {YARDSTICK}; peak memory {gib:.2f} GiB; "
        f"{flop / 1e12:.2f} TFLOP, {share:.0%} of the matrix rate in {str(dtype)[6:]} ({device}); "
        f"loading a batch takes one core {1000 * loading:.0f} ms: {workers} worker(s) keep up"
    )


class MeanTeacher(Method):
    """The yardstick: pseudo-labels of an EMA teacher, one forward of the student."""

    views = Views(strong=("imas",))

    def __init__(self, create_network: Callable[[], Segmenter], config: Method.Config):
        super().__init__(create_network, config)
        self.teacher = Teacher(self.student)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        x_l, y_l = batch.labeled
        weak, (strong, *_), valid, *_ = batch.unlabeled
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        output = self.student(torch.cat([x_l, strong]))
        labeled, unlabeled = output.split(len(x_l), len(strong))
        confident = pseudo.confidence >= 0.8
        loss = cross_entropy(labeled.logits, y_l)
        loss = loss + cross_entropy(unlabeled.logits, pseudo.label, confident)
        minimize(loss, over=self.student)
        self.teacher.update(self.student, decay=0.99)
        return StepReport({"all": loss.detach()})


class Step:
    """A trainer of a method as late in a run, and a batch of photos on the device.

    Args:
        name: of the method.
        words: of its recipe.
        folder: for the photos.
    """

    def __init__(self, name: str, words: list[str], folder: str):
        method = "benchmarks.steps:MeanTeacher" if name == YARDSTICK else name
        known = find(method, METHODS, "method").Config.model_fields
        late = [f"method.{key}={value}".lower() for key, value in LATE.items() if key in known]
        recipe = recipe_from_words([*words, f"method={method}", *late])
        files = photos(Path(folder))
        data = Data(Classes([str(i) for i in range(NUM_CLASSES)]), files, files, files)
        recipe, _ = settle(recipe, data)

        def build(fabric: Fabric) -> Any:
            method = build_method(recipe, NUM_CLASSES, pretrained=False)
            return make_trainer(fabric, recipe, method, data, Path())

        self.trainer = launch(recipe.machine, recipe.training.precision, build)
        self.device = self.trainer.fabric.device
        self.batch = to_device(self.trainer.streams[0][0], self.device)
        self.progress = Progress(0, recipe.training.steps, 1)
        self.trainer.method.prepare([self.batch.labeled], self.progress)

    def seconds(self, steps: int) -> float:
        """Of one step, with nothing between the steps."""
        time.sleep(0.05)  # until the other's threads no longer wait for work, which is busy
        wait_for(self.device)
        start = time.perf_counter()
        for _ in range(steps):
            torch.manual_seed(self.progress.step)
            self.trainer.method.step(self.batch, self.trainer.minimizer, self.progress)
            self.progress = self.progress._replace(step=self.progress.step + 1)
        wait_for(self.device)
        return (time.perf_counter() - start) / steps

    def peak(self) -> float:
        """GiB: of a GPU what steps need at most, of a CPU what the process does."""
        forget_peak_memory(self.device)
        self.seconds(2)
        return peak_memory(self.device)

    def flop(self) -> int:
        """Products and convolutions of a step."""
        with eagerly(), FlopCounterMode(display=False) as counter:
            self.seconds(1)
        return int(counter.get_total_flops())

    def machine(self) -> tuple[torch.device, torch.dtype]:
        """Where and in what the networks compute."""
        with self.trainer.fabric.autocast():
            is_mixed = torch.is_autocast_enabled(self.device.type)
            kind = torch.get_autocast_dtype(self.device.type) if is_mixed else torch.float32
        return self.device, kind

    def loading(self) -> float:
        """Seconds to load a batch, by this core alone."""
        stream, count = self.trainer.streams[0], 4
        start = time.perf_counter()
        for i in range(count):
            stream[i]
        return (time.perf_counter() - start) / count
