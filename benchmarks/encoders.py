"""What an encoder costs on this machine: time and memory of training steps."""

from collections.abc import Iterator
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.isolation import Isolated
from benchmarks.method_step import Step
from benchmarks.record import Figure, figures

ENCODERS = (
    "tf_efficientnet_lite0",
    "mobilenetv3_large_100",
    "resnet18",
    "resnet50",
    "convnext_tiny",
    "swin_tiny_patch4_window7_224",
    "vit_small_patch14_dinov2",
    "vit_small_patch16_dinov3",
)
METHODS = ("supervised", "imas")


def measure(
    encoders: Annotated[
        list[str] | None, typer.Argument(help="As in model.encoder. Default: one of each family.")
    ] = None,
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 321,
    batch: Annotated[int, typer.Option(help="Labeled images, and as many unlabeled ones.")] = 4,
    precision: Annotated[str, typer.Option(help="As in training.precision.")] = "auto",
    rounds: Annotated[int, typer.Option(help="Rounds of steps.")] = 3,
    steps: Annotated[int, typer.Option(help="Steps in a round. Use 10 on a GPU.")] = 2,
) -> Iterator[list[Figure]]:
    """Time training steps with different encoders, each with its automatic decoder."""
    words = [
        "data=synthetic", "model.pretrained=false", f"loader.crop={crop}",
        f"loader.labeled_batch={batch}", f"loader.unlabeled_batch={batch}",
        f"training.precision={precision}",
    ]  # fmt: skip
    with TemporaryDirectory(prefix="encoders-") as folder:
        for encoder in encoders or ENCODERS:
            yield _row(encoder, [*words, f"model.encoder={encoder}"], folder, rounds, steps)


def _row(encoder: str, words: list[str], folder: str, rounds: int, steps: int) -> list[Figure]:
    times, memory, parameters = {}, 0.0, 0.0
    for method in METHODS:
        with Isolated(Step, method, words, folder) as step:
            memory, parameters = step.apply(Step.peak), step.apply(Step.parameters)
            times[method] = median(step.apply(Step.seconds, steps) for _ in range(rounds))
    return figures(
        encoder,
        parameters=(parameters / 1e6, "M"),
        supervised_step=(1000 * times["supervised"], "ms"),
        **{"iMAS step": (1000 * times["imas"], "ms"), "peak memory, iMAS": (memory, "GiB")},
    )
