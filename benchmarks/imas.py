"""The cost of iMAS, compared with a typical research implementation of the same method."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from torch import nn

from benchmarks import limits
from benchmarks.comparing import compare
from benchmarks.imas_steps import VARIANTS, Ours, Setup, Theirs, Variant, build, flop, peak
from benchmarks.isolation import Isolated
from benchmarks.record import Figure, figures
from benchmarks.reference import imas as reference
from fewmask.evaluation.metrics import confusion_matrix
from fewmask.models import ModelConfig, Output, create_model
from fewmask.parts.teacher import Teacher, tensors

Sides = tuple[Callable[[], Any], Callable[[], Any]]
"""Ours and the reference."""
SHORT_ROUNDS = 9
"""What takes milliseconds gets at least this many rounds."""


def measure(
    encoder: Annotated[str, typer.Option(help="The encoder, a timm model.")] = "resnet50",
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 321,
    batch: Annotated[int, typer.Option(help="Labeled images, and as many unlabeled ones.")] = 2,
    num_classes: Annotated[int, typer.Option(help="Classes of the data set.")] = 21,
    rounds: Annotated[int, typer.Option(help="Steps of each side, in turn.")] = 5,
    precision: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of our side; the reference uses fp32.")
    ] = "fp32",
) -> Iterator[list[Figure]]:
    """Compare a training step, an EMA update and an evaluation: time, peak memory, limit."""
    short, setup = max(rounds, SHORT_ROUNDS), Setup(encoder, crop, batch, num_classes, precision)
    model = create_model(ModelConfig(encoder=encoder, pretrained=False), num_classes)
    yield _row("EMA update", _ema(model), short, _ema_limit(model))
    scoring = "4 images of 512 x 512 scored, without network"
    yield _row(scoring, _scoring(num_classes), short, _scoring_limit(num_classes))
    for variant in VARIANTS:
        limit = partial(_step_limit, setup, variant, _ema_limit(model))
        yield _isolated_row(setup, variant, short if variant.without_network else rounds, limit)


def _ema_limit(model: nn.Module) -> float:
    """Seconds to read the weights of both networks and to write those of one."""
    return 3 * sum(x.nbytes for x in tensors(model)) / limits.bandwidth()


def _scoring_limit(num_classes: int) -> float:
    """Seconds to pass over all logits once."""
    return 4 * num_classes * 512 * 512 / limits.pass_rate()


def _step_limit(setup: Setup, variant: Variant, ema_limit: float, ours: Isolated) -> float:
    if variant.without_network:
        # One exponential per logit, for two predictions and three losses.
        logits = 5 * setup.batch * setup.num_classes * setup.crop**2
        return logits / limits.exp_rate() + ema_limit
    dtype = torch.bfloat16 if setup.precision == "bf16" else torch.float32
    return ours.apply(flop) / limits.matrix_rate(dtype)


def _isolated_row(
    setup: Setup, variant: Variant, rounds: int, limit: Callable[[Isolated], float]
) -> list[Figure]:
    """Compares steps of both sides, each in its own process, in time and memory."""
    with (
        Isolated(build, Ours, setup, variant) as ours,
        Isolated(build, Theirs, setup, variant) as theirs,
    ):
        gib, reference_gib = ours.apply(peak), theirs.apply(peak)
        sides = partial(ours.apply, _call), partial(theirs.apply, _call)
        row = _row(variant.name, sides, rounds, limit(ours))
    return row + figures(
        variant.name,
        peak_memory=(gib, "GiB"),
        reference_memory=(reference_gib, "GiB"),
        memory_ratio=(gib / reference_gib, "x"),
    )


def _row(subject: str, sides: Sides, rounds: int, limit: float) -> list[Figure]:
    values = compare(*sides, rounds).values()
    return figures(subject, **values, limit=(1000 * limit, "ms"))


def _call(step: Callable[[], None]) -> None:
    step()


def _ema(model: nn.Module) -> Sides:
    teacher, state, own = Teacher(model), Teacher(model).network.state_dict(), model.state_dict()

    def theirs() -> None:
        for key, value in state.items():
            if value.is_floating_point():
                value.copy_(0.99 * value + (1 - 0.99) * own[key])

    return lambda: teacher.update(model, 0.99), theirs


def _scoring(num_classes: int) -> Sides:
    """From the head's logits to the counts of 4 images."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(4):
        truth = rng.integers(0, num_classes, (512, 512), np.uint8)
        truth[:20] = 255
        images.append((torch.randn(1, num_classes, 128, 128), truth))

    def ours() -> Any:
        total = 0
        for small, truth in images:
            labels = Output(small, small, None, truth.shape).labels().to(torch.uint8)[0].numpy()
            total += confusion_matrix(truth, labels, num_classes)
        return total

    def theirs() -> Any:
        return reference.score(images, num_classes)

    moved = np.abs(ours() - theirs()).sum() // 2
    # Two classes may tie to the last bit, and the two sides then choose differently.
    assert moved <= 4 * 512 * 512 / 100_000, f"{moved} pixels differ"
    return ours, theirs
