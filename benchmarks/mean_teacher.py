"""The simplest semi-supervised method: what the cost of the others is compared with."""

from collections.abc import Callable

import torch

from fewmask.batch import Batch, Progress, StepReport, Views
from fewmask.methods import Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts.losses import cross_entropy
from fewmask.parts.pseudo_labels import pseudo_label
from fewmask.parts.teacher import Teacher

THRESHOLD, DECAY = 0.8, 0.99


class MeanTeacher(Method):
    """An EMA teacher gives pseudo-labels; the student has one forward pass over all images."""

    views = Views(strong=("imas",))

    def __init__(self, create_network: Callable[[], Segmenter], config: Method.Config):
        super().__init__(create_network, config)
        self.teacher = Teacher(self.student)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """Trains on labeled and unlabeled images."""
        x_l, y_l = batch.labeled
        weak, (strong, *_), valid, *_ = batch.unlabeled
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        output = self.student(torch.cat([x_l, strong]))
        labeled, unlabeled = output.split(len(x_l), len(strong))
        confident = pseudo.confidence >= THRESHOLD
        loss = cross_entropy(labeled.logits, y_l)
        loss = loss + cross_entropy(unlabeled.logits, pseudo.label, confident)
        minimize(loss, over=self.student)
        self.teacher.update(self.student, decay=DECAY)
        return StepReport({"all": loss.detach()})
