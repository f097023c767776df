"""FixMatch, as the plain reference for segmentation: confident pseudo-labels teach a strong view.

Kihyuk Sohn, David Berthelot, Chun-Liang Li, Zizhao Zhang, Nicholas Carlini, Ekin D. Cubuk, Alex
Kurakin, Han Zhang, Colin Raffel. NeurIPS 2020. https://arxiv.org/abs/2001.07685
In the form for segmentation of the UniMatch V2 code: Lihe Yang, Zhen Zhao, Hengshuang Zhao.
TPAMI 2025. https://arxiv.org/abs/2410.10777

The EMA teacher labels the weak view x_w. Where it is sure, its labels teach the student the strong
view x_s: the same crop in other colors, with a box of another image (CutMix):

    y, c     = argmax, max of softmax(teacher(x_w))
    x_s, y, c <- CutMix of all three, with a box in about half of the images
    L_s      = sum_i [c_i >= tau] CE(student(x_s)_i, y_i) / number of valid pixels
    L        = (L_x + lambda L_s) / 2                             L_x = CE(student(x_l), y_l)
    theta_t <- d theta_t + (1 - d) theta_s                        d(n) = min(1 - 1/(n+1), alpha)

tau = threshold, lambda = unlabeled_weight, alpha = ema_decay. Pixels in the divisor are valid, but
need not be sure. Student and labels share one forward pass of [x_l, x_s] in train mode.

Three algorithms go by this name. The original one classifies images and has no teacher. In the
code of UniMatch (V1) the network itself labels, in train mode, and pastes from another crop of the
same image. This file is the form of UniMatch V2. Deviations from its code:
* Padding has the mean color, and is never a pseudo-label; boxes come with partners, labels and
  padding of the batch of all processes, not of one GPU.
* The divisor is that of all processes.
* BatchNorm's running statistics follow the student's by EMA; the code is for networks without it.
"""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.methods.method import Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts.boxes import area_boxes
from fewmask.parts.losses import SupervisedLoss, cross_entropy
from fewmask.parts.mixing import cutmix, mirrored_partners, require_partners
from fewmask.parts.pseudo_labels import PseudoLabel, keep_confident, pseudo_label
from fewmask.parts.teacher import Teacher, ramped_decay


class FixMatch(Method):
    """Student and EMA teacher; confident labels of the weak view teach the strong one."""

    class Config(Method.Config):
        """Hyper-parameters of FixMatch; the defaults are those of the UniMatch V2 code."""

        threshold: float = Field(default=0.95, ge=0, le=1)
        """tau: pseudo-labels below this confidence are ignored."""
        unlabeled_weight: float = Field(default=1.0, ge=0)
        """lambda: weight of the unlabeled loss."""
        cutmix_probability: float = Field(default=0.5, ge=0, le=1)
        """Probability that an image gets a box of another one."""
        ema_decay: float = Field(default=0.996, ge=0, le=1)
        """alpha: how slowly the teacher follows the student, once the ramp 1 - 1/(n + 1) has
        reached alpha."""
        teacher_batch_statistics: bool = False
        """Lets the teacher's BatchNorm normalize by the batch instead of running statistics; better
        in short runs."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images (Cityscapes: kind=ohem)."""

    config: Config
    views = Views(strong=("unimatch",))

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        self.teacher = Teacher(self.student, config.teacher_batch_statistics)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, (strong,), valid, *_ = batch.unlabeled
        require_partners(weak)

        # The teacher labels the weak view; CutMix pastes labels together with their pixels.
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        partner, (height, width) = mirrored_partners(weak), weak.shape[-2:]
        boxes = area_boxes(len(partner), height, width, c.cutmix_probability)
        mixed, pseudo = cutmix(strong, pseudo, partner, boxes)
        confident = pseudo.confidence >= c.threshold  # [B, H, W]

        # One forward pass, so that BatchNorm sees one mixture.
        output = self.student(torch.cat([x_l, mixed]))
        labeled, unlabeled = output.split(len(x_l), len(mixed))
        loss_x = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        loss_s = cross_entropy(unlabeled.logits, pseudo.label, counts=confident)
        if minimize((loss_x + c.unlabeled_weight * loss_s) / 2, over=self.student):
            self.teacher.update(self.student, ramped_decay(progress.step, c.ema_decay))
        return StepReport(
            {"labeled": loss_x.detach(), "unlabeled": loss_s.detach()},
            used_pixels=(confident & (pseudo.label != IGNORE)).float().mean(),
        )

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The teacher's labels where it is confident."""
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        return keep_confident(pseudo, self.config.threshold)

    def predictors(self) -> dict[str, nn.Module]:
        """The teacher and the student, both of which the code reports."""
        return {"teacher": self.teacher.network, "student": self.student}
