"""Mean Teacher with CutMix, the plain reference with soft targets: all pixels, squared difference.

Antti Tarvainen, Harri Valpola. Mean teachers are better role models. NeurIPS 2017.
https://arxiv.org/abs/1703.01780
As in CutMix-Seg: Geoff French, Samuli Laine, Timo Aila, Michal Mackiewicz, Graham Finlayson.
Semi-supervised semantic segmentation needs strong, varied perturbations. BMVC 2020.
https://arxiv.org/abs/1906.01916

The student is asked to be as sure as the teacher, neither more nor less, at every pixel:

    x_m      = (1 - M) x_0 + M x_1          two unlabeled images in other colors, M a box of half
                                            the area
    p_t      = softmax((1 - M) teacher(x_0) + M teacher(x_1))      of their weak views
    L_u      = g mean over valid pixels of sum_k (softmax(student(x_m))_k - p_t,k)^2
    g        = share of the valid pixels with max_k p_t,k >= tau   one number for the batch
    L        = L_x + w L_u                                         L_x = CE(student(x_l), y_l)
    theta_t <- d theta_t + (1 - d) theta_s                         d(n) = min(1 - 1/(n+1), alpha)

tau = threshold, w = unlabeled_weight, alpha = ema_decay. The loss is summed over classes, so its
gradient does not shrink with their number. Deviations from the released code of CutMix-Seg:
* The student's view also has other colors (the code got color jitter after the paper), which makes
  it comparable with `fixmatch.py`: same views, teacher and forward pass, other targets and boxes.
* alpha is reached by a ramp, and is 0.996 instead of 0.99; the teacher is in eval mode, as with the
  code's `freeze_bn`.
* Partners come from the batch of all processes instead of a second batch. The box's width is
  uniform, as in U2PL, instead of log-uniform.
* Padding is left out of L_u and g, and of their divisors.
"""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views, send
from fewmask.methods.method import Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts import processes
from fewmask.parts.boxes import half_area_boxes
from fewmask.parts.losses import SupervisedLoss
from fewmask.parts.mixing import cutmix, mirrored_partners, require_partners
from fewmask.parts.pixel_loss import pixel_squared_difference
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label
from fewmask.parts.teacher import Teacher, ramped_decay


class MeanTeacher(Method):
    """Student and EMA teacher; the student matches the teacher's probabilities."""

    class Config(Method.Config):
        """Hyper-parameters of Mean Teacher; the defaults are CutMix-Seg's, except `ema_decay`."""

        threshold: float = Field(default=0.97, ge=0, le=1)
        """tau: the share of pixels with at least this confidence is the weight of the unlabeled
        loss; with 0 it is 1."""
        unlabeled_weight: float = Field(default=1.0, ge=0)
        """w: weight of the unlabeled loss."""
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

        # The teacher looks at whole images; CutMix pastes its logits with the pixels.
        target = self.teacher(weak).logits  # [B, K, h, w]
        partner, (height, width) = mirrored_partners(weak), weak.shape[-2:]
        boxes = half_area_boxes(len(partner), height, width)
        mixed, pseudo = cutmix(strong, pseudo_label(target, valid), partner, boxes)
        pasted = processes.own(processes.gather(target)[partner])
        boxes = send(processes.own(boxes), weak.device)
        valid = pseudo.label != IGNORE  # of the mixed images
        confident = valid & (pseudo.confidence >= c.threshold)

        # One forward pass, so that BatchNorm sees one mixture.
        output = self.student(torch.cat([x_l, mixed]))
        labeled, unlabeled = output.split(len(x_l), len(mixed))
        loss_x = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        loss_u = consistency(unlabeled.logits, target, pasted, boxes, valid, confident)
        if minimize(loss_x + c.unlabeled_weight * loss_u, over=self.student):
            self.teacher.update(self.student, ramped_decay(progress.step, c.ema_decay))
        return StepReport(
            {"labeled": loss_x.detach(), "unlabeled": loss_u.detach()},
            used_pixels=confident.float().mean(),
        )

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The most probable classes of the teacher, whose probabilities are the targets."""
        return pseudo_label(self.teacher(weak).logits, valid)

    def predictors(self) -> dict[str, nn.Module]:
        """The teacher, which the paper reports, and the student."""
        return {"teacher": self.teacher.network, "student": self.student}


def consistency(
    logits: Tensor, target: Tensor, pasted: Tensor, boxes: Tensor, valid: Tensor, confident: Tensor
) -> Tensor:
    """L_u: squared difference of probabilities, times the share of confident pixels.

    Mean and share are those of the valid pixels of the global batch; 0 if there is none.

    Args:
        logits: [B, K, h, w] of the student.
        target: [B, K, h, w] of the teacher, for the pixels outside the boxes.
        pasted: [B, K, h, w] of the teacher, for those inside.
        boxes: [B, H, W] bool.
        valid: [B, H, W] bool, the pixels that count.
        confident: [B, H, W] bool, those among them of which the teacher is sure.
    """
    sums = pixel_squared_difference(logits, target, pasted, boxes, valid.float())
    counts = processes.mean(torch.stack([valid.sum(), confident.sum()]).float())
    pixels = counts[0].clamp(min=1)
    return counts[1] / pixels * sums.sum() / pixels
