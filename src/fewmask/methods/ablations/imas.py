"""The ablations of iMAS: each use of the easiness h alone, and what the pseudo-labels rest on."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from fewmask.batch import Batch, Progress, StepReport, send
from fewmask.config import BaseConfig
from fewmask.methods.ablations.row import Row
from fewmask.methods.method import Minimize
from fewmask.models import Segmenter
from fewmask.parts.losses import SupervisedLoss
from fewmask.parts.teacher import Teacher


class Ablation(BaseConfig):
    """Switches of iMAS. As they are, the method is the paper's."""

    plain_loss: bool = False
    """Every unlabeled image has the weight 1 in the loss, in place of h."""
    full_intensity: bool = False
    """Every image has the full strong view, not a blend by h with the weak one."""
    cutmix_probability: Annotated[float, Field(ge=0, le=1)] | None = None
    """The probability of CutMix, in place of mean(h); with 0 there is none."""
    random_pairs: bool = False
    """CutMix pairs images at random (vanilla CutMix), and not easy with hard ones."""
    strong_operations: int = Field(default=2, ge=0, le=100)
    """How many of the twelve color operations make the strong view."""
    student_labels: bool = False
    """The student makes the pseudo-labels, and not the teacher."""
    supervised_epochs: int = Field(default=0, ge=0, le=10**9)
    """Epochs on labels alone, before those in which the teacher is still a copy."""
    supervised_steps: int | None = Field(default=None, ge=0, le=10**9)
    """The same in steps; null: `supervised_epochs` passes over the unlabeled images."""

    def supervised(self, progress: Progress) -> int:
        """The length of the supervised phase in steps."""
        return progress.in_steps(self.supervised_epochs, self.supervised_steps)

    def probability(self, mean_easiness: Tensor) -> Tensor | float:
        """The probability of CutMix."""
        return mean_easiness if self.cutmix_probability is None else self.cutmix_probability


def labels_only(
    student: Segmenter, teacher: Teacher, loss: SupervisedLoss, batch: Batch, minimize: Minimize
) -> StepReport:
    """A step of the supervised phase, after which the teacher is a copy of the student."""
    image, mask = batch.labeled
    output = student(image)
    value = loss(output.logits, output.aux_logits, mask)
    if minimize(value, over=student):
        teacher.update(student, decay=0)
    return StepReport({"labeled": value.detach()})


def one_if(is_off: bool, h: Tensor) -> Tensor:
    """The easiness h [B], or 1 for each image where it is switched off."""
    return torch.ones_like(h) if is_off else h


def random_partners(h: Tensor) -> Tensor:
    """The partners [B] of vanilla CutMix: a random order, in which an image may get itself."""
    return send(torch.randperm(len(h)), h.device)


LOSS, INTENSITY, NO_CUTMIX = (
    "method.ablation.plain_loss=true",
    "method.ablation.full_intensity=true",
    "method.ablation.cutmix_probability=0",
)
VANILLA = ("method.ablation.cutmix_probability=0.5", "method.ablation.random_pairs=true")
ROWS = (
    Row("iMAS"),
    Row("without easiness: a mean teacher with strong views", (LOSS, INTENSITY, NO_CUTMIX)),
    Row("adaptive loss weight alone", (INTENSITY, NO_CUTMIX)),
    Row("adaptive intensity alone", (LOSS, NO_CUTMIX)),
    Row("adaptive CutMix alone", (LOSS, INTENSITY)),
    Row("without the adaptive loss weight", (LOSS,)),
    Row("without the adaptive intensity", (INTENSITY,)),
    Row("without CutMix", (NO_CUTMIX,)),
    Row("vanilla CutMix: half of the steps, random pairs", VANILLA),
    Row("CutMix in half of the steps, easy-hard pairs", VANILLA[:1]),
    Row("adaptive CutMix, random pairs", VANILLA[1:]),
    Row("one strong operation", ("method.ablation.strong_operations=1",)),
    Row("three strong operations", ("method.ablation.strong_operations=3",)),
    Row("pseudo-labels of the student", ("method.ablation.student_labels=true",)),
    Row("one epoch on labels alone first", ("method.ablation.supervised_epochs=1",)),
    Row("background counted in the easiness, as in the paper", ("method.ignore_background=false",)),
    Row("easiness without class areas", ("method.weight_by_area=false",)),
    Row("a lower threshold", ("method.threshold=0.7",)),
    Row("a lower weight of the unlabeled loss", ("method.unlabeled_weight=1",)),
)
"""The rows of the paper's ablations, and of the settings that its code and logs vary."""
