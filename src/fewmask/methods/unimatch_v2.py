"""UniMatch V2: Pushing the Limit of Semi-Supervised Semantic Segmentation.

Lihe Yang, Zhen Zhao, Hengshuang Zhao. TPAMI 2025. https://arxiv.org/abs/2410.10777

The EMA teacher labels the weak view x_w. Where it is sure, its labels teach the student two strong
views: the same crop in other colors, drawn independently, each with a box of another image (CutMix)
in about half of the images. Features f of both views meet complementary channel dropout: each
channel is in one of the views, doubled. So one stream has perturbations of image and features:

    y, c        = argmax, max of softmax(teacher(x_w))
    x_s, y_s, c_s = CutMix of x_s, y and c, with boxes of its own         s = 1, 2
    m_1 = 2 Bernoulli(1/2),  m_2 = 2 - m_1      for each image and channel
    m_1 = m_2 = 1                               for a share rho of the images, rounded down
    z_s         = decoder(m_s f_s),  f_s = encoder(x_s)
    L_s         = sum_i [c_s,i >= tau] CE(z_s,i, y_s,i) / number of valid pixels
    L           = (L_x + lambda (L_1 + L_2) / 2) / 2              L_x = CE(student(x_l), y_l)
    theta_t    <- d theta_t + (1 - d) theta_s                     d(n) = min(1 - 1/(n+1), alpha)

tau = threshold, lambda = unlabeled_weight, rho = spared, alpha = ema_decay. All four levels of a
plain vision transformer have the same mask; the levels of a pyramid have masks of their own. The
paper's network is DINOv2 with DPT; model.frozen_stages=all freezes the encoder, as lock_backbone
of the code does. With rho = 1 this is FixMatch with two strong views.

Deviations from the released code:
* Partners, spared images and the divisor are those of the batch of all processes, not of one GPU.
* Padding has the mean color, and is never a pseudo-label.
* The learning rate follows the step. In the code it lags one step behind.
* The teacher copies integer buffers, which the code averages and truncates.
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
from fewmask.parts.perturbation import complementary_dropout
from fewmask.parts.pseudo_labels import PseudoLabel, keep_confident, pseudo_label
from fewmask.parts.teacher import Teacher, ramped_decay


class UniMatchV2(Method):
    """Student and EMA teacher; two strong views share the channels of their features."""

    class Config(Method.Config):
        """Hyper-parameters of UniMatch V2; the defaults are those of its code."""

        threshold: float = Field(default=0.95, ge=0, le=1)
        """tau: pseudo-labels below this confidence are ignored."""
        unlabeled_weight: float = Field(default=1.0, ge=0)
        """lambda: weight of the unlabeled loss."""
        spared: float = Field(default=0.5, ge=0, le=1)
        """rho: share of the unlabeled images that keep all channels in both views; 1: no
        dropout."""
        cutmix_probability: float = Field(default=0.5, ge=0, le=1)
        """Probability that a strong view gets a box of another image."""
        ema_decay: float = Field(default=0.996, ge=0, le=1)
        """alpha: how slowly the teacher follows the student, once the ramp 1 - 1/(n + 1) has
        reached alpha."""
        teacher_batch_statistics: bool = False
        """Lets the teacher's BatchNorm, if it has one, normalize by the batch instead of running
        statistics; better in short runs."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images (Cityscapes: kind=ohem)."""

    config: Config
    views = Views(strong=("unimatch", "unimatch"))

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        self.teacher = Teacher(self.student, config.teacher_batch_statistics)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, strong, valid, *_ = batch.unlabeled
        require_partners(weak)

        # The teacher labels the weak view; CutMix pastes labels together with their pixels.
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        mixed, label, confidence = self._mixed(strong, pseudo)  # of both views: [2B, ...]
        confident = confidence >= c.threshold  # [2B, H, W]

        # As in the code, labeled images have a forward pass, and so statistics, of their own.
        labeled = self.student(x_l)
        stages = complementary_dropout(self.student.encoder(mixed), c.spared)
        unlabeled = self.student.decode(stages, mixed.shape[-2:])
        loss_x = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        halves = zip(*(x.chunk(2) for x in (unlabeled.logits, label, confident)), strict=True)
        loss_1, loss_2 = (cross_entropy(z, y, counts=sure) for z, y, sure in halves)
        loss_u = (loss_1 + loss_2) / 2
        if minimize((loss_x + c.unlabeled_weight * loss_u) / 2, over=self.student):
            self.teacher.update(self.student, ramped_decay(progress.step, c.ema_decay))
        return StepReport(
            {"labeled": loss_x.detach(), "unlabeled": loss_u.detach()},
            used_pixels=(confident & (label != IGNORE)).float().mean(),
        )

    def _mixed(
        self, strong: tuple[Tensor, ...], pseudo: PseudoLabel
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Both strong views, one after the other, with their labels and confidences."""
        partner, (height, width) = mirrored_partners(strong[0]), strong[0].shape[-2:]
        pairs = []
        for view in strong:
            boxes = area_boxes(len(partner), height, width, self.config.cutmix_probability)
            pairs.append(cutmix(view, pseudo, partner, boxes))
        images, labels = zip(*pairs, strict=True)
        label, confidence = map(torch.cat, zip(*labels, strict=True))
        return torch.cat(images), label, confidence

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The teacher's labels where it is confident."""
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        return keep_confident(pseudo, self.config.threshold)

    def predictors(self) -> dict[str, nn.Module]:
        """The teacher, whose scores the paper reports, and the student."""
        return {"teacher": self.teacher.network, "student": self.student}
