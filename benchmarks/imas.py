"""One step of iMAS, one evaluated image, one EMA update: ours beside research code's."""

import random
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import limits, reference
from benchmarks.apart import Apart
from fewmask.batch import Batch, Labeled, Progress, Unlabeled
from fewmask.engine.memory import forget_peak_memory, keep_freed_memory, peak_memory
from fewmask.evaluation.metrics import confusion_matrix
from fewmask.methods.imas import IMAS
from fewmask.models import ModelConfig, Output, create_model
from fewmask.parts.teacher import Teacher, tensors

CPU = torch.device("cpu")
WHOLE, NO_WEAK, AGAIN = (
    "iMAS whole step",
    "... weak view left out",
    "... activations computed again",
)
LOSSES, BY_VIEW = "iMAS step without network", "... the reference view by view"
BOTH = "... left out and computed again"


def main(
    encoder: Annotated[str, typer.Option(help="A timm model.")] = "resnet50",
    crop: Annotated[int, typer.Option(help="Side of the views, in pixels.")] = 321,
    batch: Annotated[int, typer.Option(help="Labeled, and as many unlabeled images.")] = 2,
    num_classes: int = 21,
    rounds: Annotated[int, typer.Option(help="Of each in turn.")] = 5,
    precision: Annotated[Literal["fp32", "bf16"], typer.Option(help="Of ours.")] = "fp32",
) -> None:
    """Time ours and the reference in turn; medians, and medians of the ratios within rounds."""
    print(f"{encoder}, crop {crop}, {batch} + {batch} images, {num_classes} classes, {precision}")
    model = create_model(ModelConfig(encoder=encoder), num_classes)

    # Limits: tensors read twice and written once; a look at each number of each logit, and of those
    # that make a probability the exponential; the products and convolutions counted.
    ema_limit = 3 * sum(x.nbytes for x in tensors(model)) / limits.bandwidth()
    _compare("EMA update", *_ema(model), max(rounds, 9), ema_limit)
    score_limit = 4 * num_classes * 512 * 512 / limits.pass_rate()
    what = "evaluation without network, 4 x 512 x 512"
    _compare(what, *_evaluation(num_classes), max(rounds, 9), score_limit)
    words = (encoder, crop, batch, num_classes, precision)
    exp_limit = 5 * batch * num_classes * crop**2 / limits.exp_rate()  # two looks, three losses
    _compare_apart(LOSSES, words, max(rounds, 9), lambda ours: exp_limit + ema_limit)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    rate = limits.matrix_rate(dtype)
    for kind in (WHOLE, BY_VIEW, NO_WEAK, AGAIN, BOTH):
        _compare_apart(kind, words, rounds, lambda ours: ours.apply(_flop) / rate)


def _compare_apart(
    kind: str,
    words: tuple[Any, ...],
    rounds: int,
    limit: Callable[[Apart], float],
) -> None:
    """Times steps of both sides in processes of their own, and tells what memory they take."""
    with (
        Apart(_build, Ours, kind, *words) as ours,
        Apart(_build, Reference, kind, *words) as theirs,
    ):
        gib, reference_gib = ours.apply(_peak), theirs.apply(_peak)
        both = partial(ours.apply, _call), partial(theirs.apply, _call)
        _compare(kind, *both, rounds, limit(ours))
    share = gib / reference_gib
    print(f"   peak memory {gib:.2f} GiB, reference {reference_gib:.2f}: {share:.2f} x", flush=True)


def _compare(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int,
    limit: float,
) -> None:
    """Times both in turn.

    Args:
        what: is timed.
        ours: does it.
        theirs: does the same.
        rounds: of both.
        limit: seconds that it would take at the machine's best rates.
    """
    seconds = []
    for _ in range(rounds + 1):
        pair = []
        for run in (ours, theirs):
            time.sleep(0.05)  # until the other's threads no longer wait for work, which is busy
            start = time.perf_counter()
            run()
            pair.append(1000 * (time.perf_counter() - start))
        seconds.append(pair)
    a, b = (median(column) for column in zip(*seconds[1:], strict=True))  # the first warms up
    ratio = median(reference / own for own, reference in seconds[1:])
    print(
        f"{what}: ours {a:.1f} ms, reference {b:.1f} ms; {ratio:.1f} times faster "
        f"(limit {1000 * limit:.1f} ms)",
        flush=True,
    )


class Ours:
    """A step of `IMAS` that moves no weights, CutMix always."""

    def __init__(self, student: nn.Module, batch: Batch, kind: str, precision: str):
        if kind not in (AGAIN, BOTH):  # as a run does
            keep_freed_memory()
        torch.manual_seed(0)
        config = IMAS.Config(
            name="imas",
            threshold=reference.THRESHOLD,
            copy_epochs=0,
            weak_in_forward=kind not in (NO_WEAK, BOTH),
            ignore_background=False,
        )
        self.method = IMAS(lambda: student, config).to(memory_format=torch.channels_last)
        trained = [p for p in student.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=0.0)
        self.batch = batch
        if precision == "bf16":
            for network in (student, self.method.teacher):
                network.forward = torch.autocast("cpu", torch.bfloat16)(network.forward)

    def __call__(self) -> None:
        """One step."""
        torch.manual_seed(1)
        report = self.method.step(self.batch, self._minimize, Progress(9999, 10000, 1))
        assert report.scalars["cutmix"] == 1, "not the reference's step"

    def _minimize(self, loss: Tensor, over: nn.Module) -> bool:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return True


class Reference:
    """The same of the reference, always in fp32, on images in NCHW."""

    def __init__(self, student: nn.Module, batch: Batch, kind: str, precision: str):
        random.seed(0)
        self.method = reference.ReferenceIMAS(student, one_forward=kind != BY_VIEW)
        self.method.student.to(memory_format=torch.contiguous_format)
        labeled = batch.labeled._replace(image=batch.labeled.image.contiguous())
        unlabeled = batch.unlabeled
        assert unlabeled is not None
        views = tuple(view.contiguous() for view in unlabeled.strong)
        self.batch = Batch(
            labeled, unlabeled._replace(weak=unlabeled.weak.contiguous(), strong=views)
        )

    def __call__(self) -> None:
        """One step."""
        self.method.step(self.batch)


class FixedLogits(nn.Module):
    """Stands in for a network: the same parameters for the EMA, but logits that cost nothing.

    Its stride-4 logits are a parameter, so that a backward pass goes as far as the head's output.
    """

    def __init__(self, model: nn.Module, num_classes: int, batch: int, crop: int):
        super().__init__()
        self.num_classes, side = num_classes, crop // 4 + 1
        self.small = nn.Parameter(3 * torch.randn(4 * batch, num_classes, side, side))
        self.rest = model
        self.rest.requires_grad_(False)

    def forward(self, image: Tensor) -> Output:
        """Logits of as many images, upsampled as a segmenter does."""
        small = self.small[: len(image)]
        return Output(small.contiguous(), small, None, (image.shape[-2], image.shape[-1]))


def _ema(model: nn.Module) -> tuple[Callable[[], object], Callable[[], object]]:
    teacher, state, own = Teacher(model), Teacher(model).network.state_dict(), model.state_dict()

    def theirs() -> None:
        for key, value in state.items():
            if value.is_floating_point():
                value.copy_(0.99 * value + (1 - 0.99) * own[key])

    return lambda: teacher.update(model, 0.99), theirs


def _evaluation(num_classes: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """From the head's logits to the counts of 4 images of 512 x 512."""
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
    assert moved <= 4 * 512 * 512 / 100_000, f"{moved} pixels differ"  # ties to the last bit
    return ours, theirs


def _build(
    side: "type[Ours | Reference]",
    kind: str,
    encoder: str,
    crop: int,
    batch: int,
    num_classes: int,
    precision: str,
) -> "Ours | Reference":
    config = ModelConfig(encoder=encoder, checkpointing=side is Ours and kind in (AGAIN, BOTH))
    model: nn.Module = create_model(config, num_classes)
    if kind == LOSSES:
        model = FixedLogits(model, num_classes, batch, crop)
    for layer in model.modules():  # student and teacher agree for ever, so that each step mixes
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.0
    return side(model, random_batch(batch, crop, num_classes), kind, precision)


def random_batch(batch: int, crop: int, num_classes: int) -> Batch:
    """Noise in the shapes of a batch."""
    torch.manual_seed(0)
    images = torch.randn(3, batch, 3, crop, crop)
    images = [x.contiguous(memory_format=torch.channels_last) for x in images]
    mask = torch.randint(0, num_classes, (batch, crop, crop))
    valid = torch.ones(batch, crop, crop, dtype=torch.bool)
    unlabeled = Unlabeled(images[1], (images[2],), valid, torch.arange(batch))
    return Batch(Labeled(images[0], mask), unlabeled)


def _call(step: Callable[[], None]) -> None:
    step()


def _flop(step: Callable[[], None]) -> int:
    """Products and convolutions of a step."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def _peak(step: Callable[[], None]) -> float:
    """GiB that steps add to what the networks take; to be asked first of all."""
    forget_peak_memory(CPU)
    before = peak_memory(CPU)
    for _ in range(2):
        step()
    return peak_memory(CPU) - before
