"""FewMatch: FixMatch whose pseudo-labels keep all classes. Our own recipe for few labels.

FixMatch trusts a pixel if its confidence exceeds one threshold. With a few dozen labeled photos
that keeps the large, easy classes and drops the small ones, which the network then forgets.
FewMatch asks of each class for the same share of its pixels, and corrects class shares that drift
from those of the labels:

    z        = teacher(x_w) + alpha (log prior - log predicted)   prior: shares of the labels
    y, c     = argmax, max of softmax(z)
    t_k      = running quantile of { c_i : y_i = k } at `dropped`
    m_i      = [c_i >= t_(y_i)]
    x_s, y, m <- CutMix of all three, with a box in about half of the images
    L_s      = sum_i m_i CE(student(x_s)_i, y_i) / number of valid pixels
    L        = (L_x + lambda L_s) / 2                             L_x = CE(student(x_l), y_l)
    theta_t <- d theta_t + (1 - d) theta_s                        d(n) = min(1 - 1/(n+1), beta)

alpha = alignment, lambda = unlabeled_weight, beta = ema_decay. It is `fixmatch.py` with the parts
of `parts/class_balance.py`; docs/methods.md measures each of them. The student is the result: its
learning rate ends at 0, and the teacher is behind it by then.

FixMatch: Sohn et al., NeurIPS 2020, https://arxiv.org/abs/2001.07685. Class thresholds: CBST, Zou
et al., ECCV 2018, https://arxiv.org/abs/1810.07911. Alignment: ReMixMatch, Berthelot et al., ICLR
2020, https://arxiv.org/abs/1911.09785.
"""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.methods.method import Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts.boxes import area_boxes
from fewmask.parts.class_balance import Alignment, ClassThresholds
from fewmask.parts.losses import SupervisedLoss, cross_entropy
from fewmask.parts.mixing import at_grid, cutmix, mirrored_partners, require_partners
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label
from fewmask.parts.teacher import Teacher, ramped_decay


class FewMatch(Method):
    """Student and EMA teacher; the surest labels of every class teach the strong view."""

    class Config(Method.Config):
        """Hyper-parameters of FewMatch; the defaults are for runs of some thousand steps."""

        dropped: float = Field(default=0.3, ge=0, lt=1)
        """Share of the pixels of each class, the least sure ones, that get no pseudo-label."""
        alignment: float = Field(default=0.5, ge=0, le=1)
        """alpha: how far class shares of the pseudo-labels are moved towards those of the labels;
        0: not at all."""
        unlabeled_weight: float = Field(default=1.0, ge=0)
        """lambda: weight of the unlabeled loss."""
        cutmix_probability: float = Field(default=0.5, ge=0, le=1)
        """Probability that an image gets a box of another one."""
        ema_decay: float = Field(default=0.99, ge=0, le=1)
        """beta: how slowly the teacher follows the student, once the ramp 1 - 1/(n + 1) has reached
        beta."""
        teacher_batch_statistics: bool = False
        """Lets the teacher's BatchNorm normalize by the batch instead of running statistics."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images."""

    config: Config
    views = Views(strong=("unimatch",))

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        self.teacher = Teacher(self.student, config.teacher_batch_statistics)
        self.alignment = Alignment(self.student.num_classes, config.alignment)
        self.thresholds = ClassThresholds(self.student.num_classes, config.dropped)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, (strong,), valid, *_ = batch.unlabeled
        require_partners(weak)

        # The teacher labels the weak view; in each class the surest pixels count.
        logits = self.teacher(weak).logits
        self.alignment.update(logits, at_grid(valid, logits.shape[-2:]), y_l)
        pseudo = pseudo_label(self.alignment(logits), valid)
        self.thresholds.update(pseudo)
        sure = pseudo._replace(confidence=self.thresholds(pseudo).float())

        # CutMix pastes labels, and whether they count, together with their pixels.
        partner, (height, width) = mirrored_partners(weak), weak.shape[-2:]
        boxes = area_boxes(len(partner), height, width, c.cutmix_probability)
        mixed, (label, counts) = cutmix(strong, sure, partner, boxes)
        confident = counts > 0  # [B, H, W]

        # One forward pass, so that BatchNorm sees one mixture.
        output = self.student(torch.cat([x_l, mixed]))
        labeled, unlabeled = output.split(len(x_l), len(mixed))
        loss_x = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        loss_s = cross_entropy(unlabeled.logits, label, counts=confident)
        if minimize((loss_x + c.unlabeled_weight * loss_s) / 2, over=self.student):
            self._end_step(progress)
        return StepReport(
            {"labeled": loss_x.detach(), "unlabeled": loss_s.detach()},
            used_pixels=(confident & (label != IGNORE)).float().mean(),
        )

    def _end_step(self, progress: Progress) -> None:
        """Lets the teacher follow, now that the weights have moved."""
        self.teacher.update(self.student, ramped_decay(progress.step, self.config.ema_decay))
        self.alignment.end_step()
        self.thresholds.end_step()

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The teacher's aligned labels where they are sure enough for their class."""
        pseudo = pseudo_label(self.alignment(self.teacher(weak).logits), valid)
        return pseudo._replace(label=pseudo.label.masked_fill(~self.thresholds(pseudo), IGNORE))

    def predictors(self) -> dict[str, nn.Module]:
        """The student, which ends ahead, and the teacher."""
        return {"student": self.student, "teacher": self.teacher.network}
