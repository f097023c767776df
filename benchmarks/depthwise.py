"""Training steps of light encoders on a CPU: fp32 and bf16, our backward pass and torch's."""

from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.isolation import Isolated
from benchmarks.method_step import Step
from benchmarks.record import Figure, figures
from fewmask.models.encoders.depthwise import FAST

LIGHT = ["tf_efficientnet_lite0", "mobilenetv3_large_100", "resnet18"]
PRECISIONS = ("fp32", "bf16")


class DepthwiseStep(Step):
    """A step of supervised training.

    Args:
        words: the options of its recipe.
        is_fast: whether depthwise convolutions have the backward pass of `depthwise_gradients`.
        folder: where the photos are written.
    """

    def __init__(self, words: list[str], is_fast: bool, folder: str):
        super().__init__("supervised", words, folder)
        plain = {fast: kind for kind, fast in FAST.items()}
        for layer in () if is_fast else self.trainer.method.modules():
            layer.__class__ = plain.get(type(layer), type(layer))


def measure(
    encoders: Annotated[
        list[str] | None, typer.Argument(help="timm models. Default: three light ones.")
    ] = None,
    crop: Annotated[int, typer.Option(help="Side of the images, in pixels.")] = 145,
    batch: Annotated[int, typer.Option(help="Images in a step.")] = 4,
    channels: Annotated[int, typer.Option(help="As in model.decoder.channels.")] = 64,
    rounds: Annotated[int, typer.Option(help="Steps of each side, in turn.")] = 15,
) -> Iterator[list[Figure]]:
    """Time training steps of light encoders, with our backward pass and torch's in turn."""
    words = [
        "data=synthetic", "machine.accelerator=cpu", "model.output_stride=16",
        f"model.decoder.channels={channels}", f"loader.crop={crop}",
        f"loader.labeled_batch={batch}", "training.accumulate=1",
    ]  # fmt: skip
    for encoder in encoders or LIGHT:
        yield from _rows(encoder, [*words, f"model.encoder={encoder}"], rounds)


def _rows(encoder: str, words: list[str], rounds: int) -> Iterator[list[Figure]]:
    """One row for each precision. All sides take turns, so that precisions can be compared, too."""
    keys = [(precision, is_fast) for precision in PRECISIONS for is_fast in (True, False)]
    with TemporaryDirectory(prefix="encoders-") as folder, ExitStack() as stack:
        sides = {
            (precision, is_fast): stack.enter_context(
                Isolated(
                    DepthwiseStep, [*words, f"training.precision={precision}"], is_fast, folder
                )
            )
            for precision, is_fast in keys
        }
        for side in sides.values():
            side.apply(Step.seconds, 3)  # warms up
        taken = [
            {key: side.apply(Step.seconds, 1) for key, side in sides.items()} for _ in range(rounds)
        ]
    for precision in PRECISIONS:
        ours, theirs = (precision, True), (precision, False)
        yield figures(
            f"{encoder}, {precision}",
            step=(1000 * median(times[ours] for times in taken), "ms"),
            **{"torch's backward pass": (1000 * median(times[theirs] for times in taken), "ms")},
            speedup=(median(times[theirs] / times[ours] for times in taken), "x"),
            relative_to_fp32=(median(times[ours] / times["fp32", True] for times in taken), "x"),
        )
