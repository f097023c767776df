"""Training steps of iMAS, ours and the reference's, on random images."""

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.reference import imas as reference
from fewmask.batch import Batch, Labeled, Progress, Unlabeled
from fewmask.engine.memory import forget_peak_memory, keep_freed_memory, peak_memory
from fewmask.methods.imas import IMAS
from fewmask.models import ModelConfig, Output, create_model

CPU = torch.device("cpu")


class Setup(NamedTuple):
    """What both sides train on."""

    encoder: str
    crop: int
    batch: int
    num_classes: int
    precision: str
    """Ours; the reference computes in fp32."""


class Variant(NamedTuple):
    """One way to take the step."""

    name: str
    without_network: bool = False
    weak_in_forward: bool = True
    checkpointing: bool = False
    reference_in_one_forward: bool = True


VARIANTS = (
    Variant("step without network", without_network=True),
    Variant("whole step"),
    Variant("whole step, the reference one view at a time", reference_in_one_forward=False),
    Variant("whole step, method.weak_in_forward=false", weak_in_forward=False),
    Variant("whole step, model.checkpointing=true", checkpointing=True),
    Variant("whole step, both options", weak_in_forward=False, checkpointing=True),
)


class Ours:
    """A step of `IMAS` with a learning rate of 0, and with CutMix in every step."""

    def __init__(self, student: nn.Module, batch: Batch, setup: Setup, variant: Variant):
        if not variant.checkpointing:  # as a run does
            keep_freed_memory()
        torch.manual_seed(0)
        config = IMAS.Config(
            name="imas",
            threshold=reference.THRESHOLD,
            copy_epochs=0,
            weak_in_forward=variant.weak_in_forward,
            ignore_background=False,
        )
        self.method = IMAS(lambda: student, config).to(memory_format=torch.channels_last)
        trained = [p for p in student.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=0.0)
        self.batch = batch
        if setup.precision == "bf16":
            for network in (student, self.method.teacher):
                network.forward = torch.autocast("cpu", torch.bfloat16)(network.forward)

    def __call__(self) -> None:
        """Takes one step."""
        torch.manual_seed(1)
        # Almost at the end of a run, when CutMix is likeliest; seed 1 draws it.
        report = self.method.step(self.batch, self._minimize, Progress(9999, 10000, 1))
        assert report.scalars["cutmix"] == 1, "not the reference's step"

    def _minimize(self, loss: Tensor, over: nn.Module) -> bool:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return True


class Theirs:
    """A step of the reference on the same images, in fp32 and NCHW."""

    def __init__(self, student: nn.Module, batch: Batch, setup: Setup, variant: Variant):
        random.seed(0)
        one_forward = variant.reference_in_one_forward
        self.method = reference.ReferenceIMAS(student, one_forward=one_forward)
        self.method.student.to(memory_format=torch.contiguous_format)
        labeled = batch.labeled._replace(image=batch.labeled.image.contiguous())
        unlabeled = batch.unlabeled
        assert unlabeled is not None
        views = tuple(view.contiguous() for view in unlabeled.strong)
        weak = unlabeled.weak.contiguous()
        self.batch = Batch(labeled, unlabeled._replace(weak=weak, strong=views))

    def __call__(self) -> None:
        """Takes one step."""
        self.method.step(self.batch)


class FixedLogits(nn.Module):
    """Stands in for a network: it has the same weights for the EMA, but its logits cost nothing.

    The logits at stride 4 are a parameter, so that a backward pass reaches the head's output.
    """

    def __init__(self, model: nn.Module, setup: Setup):
        super().__init__()
        self.num_classes, side = setup.num_classes, setup.crop // 4 + 1
        self.small = nn.Parameter(3 * torch.randn(4 * setup.batch, setup.num_classes, side, side))
        self.rest = model
        self.rest.requires_grad_(False)

    def forward(self, image: Tensor) -> Output:
        """Returns logits for as many images."""
        small = self.small[: len(image)]
        return Output(small.contiguous(), small, None, (image.shape[-2], image.shape[-1]))


def build(side: type[Ours] | type[Theirs], setup: Setup, variant: Variant) -> Ours | Theirs:
    """One side, with its network and batch."""
    checkpointing = side is Ours and variant.checkpointing
    config = ModelConfig(encoder=setup.encoder, pretrained=False, checkpointing=checkpointing)
    model: nn.Module = create_model(config, setup.num_classes)
    if variant.without_network:
        model = FixedLogits(model, setup)
    # Frozen statistics keep student and teacher in agreement, so that every step mixes.
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.0
    return side(model, random_batch(setup), setup, variant)


def random_batch(setup: Setup) -> Batch:
    """Noise in the shapes of a batch."""
    crop, batch = setup.crop, setup.batch
    torch.manual_seed(0)
    images = torch.randn(3, batch, 3, crop, crop)
    images = [x.contiguous(memory_format=torch.channels_last) for x in images]
    mask = torch.randint(0, setup.num_classes, (batch, crop, crop))
    valid = torch.ones(batch, crop, crop, dtype=torch.bool)
    unlabeled = Unlabeled(images[1], (images[2],), valid, torch.arange(batch))
    return Batch(Labeled(images[0], mask), unlabeled)


def flop(step: Callable[[], None]) -> int:
    """Floating-point operations of the matrix products and convolutions in a step."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def peak(step: Callable[[], None]) -> float:
    """GiB that steps add to the memory of the networks. Call it before anything else."""
    forget_peak_memory(CPU)
    before = peak_memory(CPU)
    for _ in range(2):
        step()
    return peak_memory(CPU) - before
