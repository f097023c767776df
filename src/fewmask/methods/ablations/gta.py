"""The ablations of GTA-Seg: what the assistant is good for, and what the released code does."""

from collections.abc import Sequence
from enum import Enum
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from fewmask.batch import Batch, Progress
from fewmask.config import BaseConfig
from fewmask.methods.ablations.row import Row
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label
from fewmask.parts.teacher import follow


class Ablation(BaseConfig):
    """Switches of GTA-Seg. As they are, the method is the paper's."""

    weights: Literal["smoothed", "confidence", "equal"] = "smoothed"
    """The weight of a pseudo-label: 1 + c, its confidence c without Laplace smoothing, or 1 without
    re-weighting."""
    over_kept: bool = False
    """The weights are normalized over kept pixels alone; dropped ones are in no sum."""
    no_assistant: bool = False
    """There is no assistant: the student itself learns from the pseudo-labels, in one loss with the
    labels. (The log calls its loss on pseudo-labels `loss_assistant`.)"""
    as_released: bool = False
    """Follows the released code where it contradicts the paper: student and assistant share the
    mask predictor; both, and the teacher, get the student's weights anew in each step of the first
    epoch after the warm-up, and share them; no BatchNorm statistics are handed over or averaged;
    confidences come from a second pass of the teacher, in train mode on the mixed images; the
    assistant's learning rate is constant; padding of unlabeled images counts, and that of labeled
    ones is class 0. Not included: scores on validation images that are padded with class 0."""

    def weight(self, confidence: Tensor, kept: Tensor) -> Tensor:
        """The weight of each pixel, [B, H, W].

        Args:
            confidence: [B, H, W], 0 at dropped pixels.
            kept: [B, H, W] bool.
        """
        if self.weights == "equal":
            confidence = torch.zeros_like(confidence)
        weight = confidence if self.weights == "confidence" else 1 + confidence
        return weight.masked_fill(~kept, 0) if self.over_kept else weight


class Stage(Enum):
    """Where the released code's training is."""

    WARM_UP = "student alone"
    FIRST_EPOCH = "all weights are shared"
    LATER = "the mask predictor is shared"

    @classmethod
    def of(cls, updates: int, progress: Progress) -> "Stage":
        """The stage after so many semi-supervised steps, negative in the warm-up."""
        if updates < 0:
            return cls.WARM_UP
        return cls.FIRST_EPOCH if updates < progress.steps_per_epoch else cls.LATER


class Released(NamedTuple):
    """What the released code does with its networks in a step, beside the paper's method.

    Networks that share memory there are copied here, right after one of them has moved. That gives
    the same numbers, as each optimizer has its own state there, too.
    """

    student: nn.Module
    assistant: nn.Module
    teacher: nn.Module
    flowing: list[int]  # which parameters are the feature extractor's
    stage: Stage

    @torch.no_grad()
    def begin(self, batch: Batch) -> Tensor:
        """Hands the student's weights over in each step of the first epoch.

        Before, assistant and teacher only see the labeled images, for their BatchNorm statistics.

        Returns:
            The labels [B, H, W], with padding as class 0.
        """
        x_l, y_l = batch.labeled
        if self.stage is Stage.WARM_UP:
            self.assistant(x_l)
            self.teacher.train()(x_l)
            self.teacher.eval()
        if self.stage is Stage.FIRST_EPOCH:
            copy_weights(self.student, self.assistant, self.teacher)
        return y_l if batch.labeled_valid is None else y_l.masked_fill(~batch.labeled_valid, 0)

    @torch.no_grad()
    def confidence(self, images: Tensor, pseudo: PseudoLabel) -> PseudoLabel:
        """Pseudo-labels with the confidence of another prediction, of whatever class.

        Args:
            images: labeled images, and the mixed ones, which the teacher sees in train mode.
            pseudo: of the mixed images.
        """
        logits = self.teacher.train()(images).logits[-len(pseudo.label) :]
        self.teacher.eval()
        found = pseudo_label(logits, size=pseudo.label.shape[-2:])
        return pseudo._replace(confidence=found.confidence)

    def after_assistant(self) -> None:
        """Lets the student move with the assistant, and in the first epoch the teacher."""
        if self.stage is Stage.FIRST_EPOCH:
            copy_weights(self.assistant, self.student, self.teacher)
        copy_weights(self.assistant, self.student, but=self.flowing)

    def after_student(self, decay: float) -> None:
        """Lets the assistant's mask predictor move with the student's, and the teacher follow."""
        if self.stage is Stage.WARM_UP:
            return
        also = [self.teacher] if self.stage is Stage.FIRST_EPOCH else []
        copy_weights(self.student, self.assistant, *also, but=self.flowing)
        # BatchNorm statistics are each network's own.
        follow(list(self.teacher.parameters()), list(self.student.parameters()), decay)


def copy_weights(source: nn.Module, *networks: nn.Module, but: Sequence[int] = ()) -> None:
    """Gives networks the parameters of another one, but those at some positions."""
    theirs = list(source.parameters())
    taken = [i for i in range(len(theirs)) if i not in but]
    for network in networks:
        ours = list(network.parameters())
        follow([ours[i] for i in taken], [theirs[i] for i in taken], decay=0)


NO_ASSISTANT, EQUAL = "method.ablation.no_assistant=true", "method.ablation.weights=equal"
ROWS = (
    Row("GTA-Seg"),
    Row(
        "all weights flow to the student, also the mask predictor's", ("method.mask_predictor=[]",)
    ),
    Row("without re-weighting", (EQUAL,)),
    Row("re-weighting without Laplace smoothing", ("method.ablation.weights=confidence",)),
    Row("weights normalized over kept pixels", ("method.ablation.over_kept=true",)),
    Row("without the assistant", (NO_ASSISTANT,)),
    Row("without assistant and re-weighting: plain pseudo-labels", (NO_ASSISTANT, EQUAL)),
    Row("no pixel dropped", ("method.keep_percent=100",)),
    Row("the student as the released code trains it", ("method.ablation.as_released=true",)),
)
"""What the paper argues for, piece by piece, and the difference between paper and code."""
