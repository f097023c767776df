"""AugSeg: Augmentation Matters, a simple approach to semi-supervised semantic segmentation.

Zhen Zhao, Lihe Yang, Sifan Long, Jimin Pi, Luping Zhou, Jingdong Wang. CVPR 2023.
https://arxiv.org/abs/2212.04976

A plain mean teacher with hard pseudo-labels, which is improved by augmentation alone:

    y, c     = argmax, max of p = softmax(teacher(x_w))
    x_a      = A(x_w)                              one to three color operations of random strength
    s_i      = mean_j c_ij (1 - H(p_ij) / ln K)    how sure the teacher is of image i
    x_a, y, c <- label-aided CutMix                labeled pixels go into image i with 1 - s_i
    L_u      = mean over all pixels of [c >= tau] CE(student(x_a), y)
    L        = L_x + lambda L_u                    L_x = CE(student(x_l), y_l)
    theta_t  = EMA(theta_s)

tau = threshold, lambda = unlabeled_weight. `label_aided_cutmix` first pastes a box of a labeled
image into a copy of each image that the teacher is unsure of, and then a box of each partner's copy
into the image itself. Labeled pixels arrive where both boxes meet, with their true labels.

Deviations from the released code:
* Padding never becomes a pseudo-label. Like there, it counts in s and in the divisor of L_u.
* Partners are those of the batch of all processes, not of one GPU.
* There may be fewer labeled images than unlabeled ones in a batch.
"""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.methods.method import Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts.losses import SupervisedLoss, confident_cross_entropy
from fewmask.parts.mixing import label_aided_cutmix
from fewmask.parts.pseudo_labels import PseudoLabel, certainty, keep_confident, pseudo_label
from fewmask.parts.teacher import Teacher, ema_decay


class AugSeg(Method):
    """Student and EMA teacher; random strong views, and CutMix that brings labeled pixels."""

    class Config(Method.Config):
        """Hyper-parameters of AugSeg; the defaults are those of the paper on Pascal VOC."""

        threshold: float = Field(default=0.95, ge=0, le=1)
        """tau: pseudo-labels below this confidence are ignored (0.95 VOC, 0 Cityscapes)."""
        unlabeled_weight: float = Field(default=1.0, ge=0)
        """lambda: weight of the unlabeled loss."""
        ema_decay: float = Field(default=0.999, ge=0, le=1)
        """alpha: how slowly the teacher follows the student (0.999 VOC, 0.996 Cityscapes), once the
        ramp 1 - 1/n has reached alpha."""
        teacher_batch_statistics: bool = False
        """Lets the teacher's BatchNorm normalize by the batch instead of running statistics; better
        in short runs."""
        copy_epochs: int = Field(default=1, ge=0, le=10**9)
        """Epochs in which the teacher is a copy of the student, as in the released code."""
        copy_steps: int | None = Field(default=None, ge=0, le=10**9)
        """Steps in which the teacher is a copy; null: `copy_epochs` passes over the unlabeled
        images."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images (Cityscapes: kind=ohem)."""

    config: Config
    views = Views(strong=("augseg",))

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        self.teacher = Teacher(self.student, config.teacher_batch_statistics)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, (strong,), valid, *_ = batch.unlabeled

        # The teacher labels the weak view; images it is unsure of get more labeled pixels.
        logits = self.teacher(weak).logits
        s = certainty(logits, valid.shape[-2:])  # [B]
        mixed, pseudo = label_aided_cutmix(strong, pseudo_label(logits, valid), batch.labeled, s)

        # One forward pass, so that BatchNorm sees one mixture.
        labeled, unlabeled = self.student(torch.cat([x_l, mixed])).split(len(x_l), len(mixed))
        loss_x = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        loss_u = confident_cross_entropy(unlabeled.logits, *pseudo, c.threshold).mean()
        if minimize(loss_x + c.unlabeled_weight * loss_u, over=self.student):
            copying = progress.in_steps(c.copy_epochs, c.copy_steps)
            self.teacher.update(self.student, ema_decay(progress, c.ema_decay, copying))
        used = (pseudo.confidence >= c.threshold) & (pseudo.label != IGNORE)
        return StepReport(
            {"labeled": loss_x.detach(), "unlabeled": loss_u.detach()},
            used_pixels=used.float().mean(),
            scalars={"image_confidence": s},
        )

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The teacher's labels where it is confident."""
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        return keep_confident(pseudo, self.config.threshold)

    def predictors(self) -> dict[str, nn.Module]:
        """The teacher, which the paper reports, and the student."""
        return {"teacher": self.teacher.network, "student": self.student}
