"""The cost of a training step of each method: time, memory, arithmetic."""

import math
from collections.abc import Iterator
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks import limits
from benchmarks.isolation import Isolated
from benchmarks.method_step import YARDSTICK, Step
from benchmarks.record import Figure, figures
from fewmask.methods import METHODS


def measure(
    methods: Annotated[
        list[str] | None, typer.Argument(help="Methods to time. Default: all built-in ones.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="As in model.encoder.")] = "resnet101s",
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 321,
    batch: Annotated[int, typer.Option(help="Labeled images, and as many unlabeled ones.")] = 2,
    precision: Annotated[str, typer.Option(help="As in training.precision.")] = "auto",
    compile: Annotated[bool, typer.Option("--compile", help="Set training.compile.")] = False,
    rounds: Annotated[int, typer.Option(help="Rounds, in turn with a mean teacher.")] = 5,
    steps: Annotated[int, typer.Option(help="Steps in a round. Use 10 on a GPU.")] = 1,
) -> Iterator[list[Figure]]:
    """Time training steps of all methods in turn with a plain mean teacher."""
    words = [
        "data=synthetic", f"model.encoder={encoder}", "model.output_stride=16",
        f"loader.crop={crop}", f"loader.labeled_batch={batch}", f"loader.unlabeled_batch={batch}",
        f"training.precision={precision}", f"training.compile={compile}".lower(),
    ]  # fmt: skip
    with TemporaryDirectory(prefix="steps-") as folder:
        for name in (YARDSTICK, *(methods or METHODS)):
            with (
                Isolated(Step, name, words, folder) as step,
                Isolated(Step, YARDSTICK, words, folder) as yardstick,
            ):
                yield _row(name, step, yardstick, rounds, steps)


def _row(name: str, step: Isolated, yardstick: Isolated, rounds: int, steps: int) -> list[Figure]:
    # Memory first: a peak never shrinks.
    gib, flop = step.apply(Step.peak), step.apply(Step.flop)
    device, dtype = step.apply(Step.machine)
    yardstick.apply(Step.seconds, 3)  # warms up, as the other side has
    pairs = [
        (step.apply(Step.seconds, steps), yardstick.apply(Step.seconds, steps))
        for _ in range(rounds)
    ]
    seconds, ratio = median(a for a, _ in pairs), median(a / b for a, b in pairs)
    share = flop / seconds / limits.matrix_rate(dtype, device)
    loading = step.apply(Step.loading)
    return figures(
        name,
        step=(1000 * seconds, "ms"),
        relative_to_mean_teacher=(ratio, "x"),
        peak_memory=(gib, "GiB"),
        arithmetic=(flop / 1e12, "TFLOP"),
        **{f"share of the {str(dtype)[6:]} matrix rate": (round(100 * share), "%")},
        batch_loaded_by_one_core=(1000 * loading, "ms"),
        loading_workers_needed=(math.ceil(loading / seconds), ""),
    )
