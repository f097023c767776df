"""iMAS: Instance-specific and Model-adaptive Supervision for Semi-supervised Semantic Segmentation.

Zhen Zhao, Sifan Long, Jimin Pi, Jingdong Wang, Luping Zhou. CVPR 2023. https://arxiv.org/abs/2211.11335

A mean teacher with hard pseudo-labels that treats every unlabeled image according to how easy it is
for the current model. With label maps p_s (student) and p_t (teacher) of the weak view, and
rho_s, rho_t the share of pixels with confidence >= tau, in [0, 1]:

    wIoU(p_m, .) = sum_c n_m(c) IoU_c / sum_c n_m(c)                n_m(c): pixels of class c in p_m
    easiness h   = (rho_t wIoU(p_t, p_s) + rho_s wIoU(p_s, p_t)) / 2      hardness gamma = 1 - h
    x_strong     = h A_s(x_w) + (1 - h) x_w                         adaptive intensity
    CutMix         with probability mean(h), pairing easy with hard images
    L            = L_labeled + lambda/2 mean_i h_i (l_i(strong) + l_i(cutmix))
    theta_t      = EMA(theta_s)

Where paper and released code differ, this file follows the code, with a comment at the line:
* The paper prints the blend with h and 1 - h exchanged; its authors call that a typo.
* The released code calls h "hardness". Here it is `easiness`, and `hardness.csv` holds 1 - h.
* The code excludes the background from wIoU's weights; the paper does not (`ignore_background`).
* Ours: padding never becomes a pseudo-label, and CutMix pairs images of all processes, not only of
  one GPU.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.config import ascending
from fewmask.methods.ablations.imas import Ablation, labels_only, one_if, random_partners
from fewmask.methods.method import Method, Minimize
from fewmask.models import Output, Segmenter
from fewmask.parts import processes
from fewmask.parts.boxes import random_boxes
from fewmask.parts.losses import SupervisedLoss, confident_cross_entropy
from fewmask.parts.mixing import cutmix, easy_hard_partners, require_partners
from fewmask.parts.precision import exact_float
from fewmask.parts.pseudo_labels import PseudoLabel, keep_confident, pseudo_label
from fewmask.parts.teacher import Teacher, ema_decay

Share = Annotated[float, Field(ge=0, le=1)]


class IMAS(Method):
    """Student and EMA teacher; supervision of each unlabeled image adapted to its easiness."""

    class Config(Method.Config):
        """Hyper-parameters of iMAS; the defaults are those of the paper on Pascal VOC."""

        threshold: float = Field(default=0.95, ge=0, le=1)
        """tau: pseudo-labels below this confidence are ignored (0.95 VOC, 0.7 Cityscapes)."""
        unlabeled_weight: float = Field(default=3.0, ge=0)
        """lambda: weight of the unlabeled loss."""
        ema_decay: float = Field(default=0.996, ge=0, le=1)
        """alpha: how slowly the teacher follows the student, once the ramp 1 - 1/n has reached
        alpha."""
        teacher_batch_statistics: bool = False
        """Lets the teacher's BatchNorm normalize by the batch instead of running statistics; better
        in short runs."""
        copy_epochs: int = Field(default=1, ge=0, le=10**9)
        """Epochs in which the teacher is a copy of the student; the released code uses one, and the
        paper does not mention it."""
        copy_steps: int | None = Field(default=None, ge=0, le=10**9)
        """Steps in which the teacher is a copy; null: `copy_epochs` passes over the unlabeled
        images."""
        ignore_background: bool = True
        """Excludes class 0 from the IoU weights, as the released code does; set it to false if
        class 0 is not a background."""
        weight_by_area: bool = True
        """Weights the IoU of each class by its area; false takes the plain mean over the classes
        present."""
        cutmix_sides: Annotated[tuple[Share, Share], AfterValidator(ascending)] = (0.1, 0.9)
        """Range of the CutMix box's side, as a fraction of the image's side."""
        weak_in_forward: bool = True
        """Includes the weak view in the training forward pass, where only BatchNorm uses it; false
        saves a quarter of the step."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images (Cityscapes: kind=ohem, with model.aux_head=true)."""
        ablation: Ablation = Ablation()
        """What the paper's ablations leave out or replace; by default nothing."""

    config: Config
    views: Views = Views(strong=("imas",))

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        self.views = self.views._replace(amount=config.ablation.strong_operations)
        self.teacher = Teacher(self.student, config.teacher_batch_statistics)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c, a = self.config, self.config.ablation
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, (strong,), valid, *_ = batch.unlabeled
        require_partners(weak)
        if progress.step < a.supervised(progress):
            return labels_only(self.student, self.teacher, c.supervised_loss, batch, minimize)

        # How easy is each image, for both networks in eval mode?
        p_s, p_t = self._by_student(weak), self._by_teacher(weak)
        k = self.student.num_classes
        easy = easiness(p_s, p_t, k, c.threshold, c.ignore_background, c.weight_by_area)
        h = easy.easiness  # [B]
        pseudo = p_s if a.student_labels else p_t
        pseudo = pseudo._replace(label=pseudo.label.masked_fill(~valid, IGNORE))

        # Easy images get the full strong view, hard ones stay near the weak view.
        views, targets = self._mixed(weak, pseudo, h)
        views.append(weak.lerp(strong, one_if(a.full_intensity, h).view(-1, 1, 1, 1)))
        targets.append(pseudo)

        labeled, outputs = self._forward(x_l, weak, views)
        loss_l = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        per_image = [
            confident_cross_entropy(view.logits, *target, c.threshold)
            for view, target in zip(outputs, targets, strict=True)
        ]
        # h is that of the base image, also where CutMix pasted another one.
        loss_u = (one_if(a.plain_loss, h) * torch.stack(per_image)).mean()
        if minimize(loss_l + c.unlabeled_weight * loss_u, over=self.student):
            copying = a.supervised(progress) + progress.in_steps(c.copy_epochs, c.copy_steps)
            self.teacher.update(self.student, ema_decay(progress, c.ema_decay, copying))
        return StepReport(
            {"labeled": loss_l.detach(), "unlabeled": loss_u.detach()},
            used_pixels=((pseudo.confidence >= c.threshold) & valid).float().mean(),
            easiness=h,
            scalars={
                "confident_student": easy.confident_s.mean(),
                "confident_teacher": easy.confident_t.mean(),
                "cutmix": h.new_full((), float(len(views) > 1)),
            },
        )

    @torch.no_grad()
    def _by_student(self, weak: Tensor) -> PseudoLabel:
        """Labels and confidences at every pixel, including padding; in eval mode."""
        self.student.eval()
        logits = self.student(weak).logits
        self.student.train()
        return pseudo_label(logits, size=weak.shape[-2:])

    @torch.no_grad()
    def _by_teacher(self, weak: Tensor) -> PseudoLabel:
        return pseudo_label(self.teacher(weak).logits, size=weak.shape[-2:])

    def _mixed(
        self, weak: Tensor, pseudo: PseudoLabel, h: Tensor
    ) -> tuple[list[Tensor], list[PseudoLabel]]:
        """With probability mean(h), the CutMix view and its pseudo-label; otherwise nothing."""
        a = self.config.ablation
        # A step reads no number from the device but this one.
        if not torch.rand(()) < a.probability(processes.mean(h.mean())):
            return [], []
        global_h = processes.gather(h)
        height, width = weak.shape[-2:]
        boxes = random_boxes(len(global_h), height, width, self.config.cutmix_sides)
        partners = (random_partners if a.random_pairs else easy_hard_partners)(global_h)
        mixed, mixed_pseudo = cutmix(weak, pseudo, partners, boxes)
        return [mixed], [mixed_pseudo]

    def _forward(
        self, x_l: Tensor, weak: Tensor, views: list[Tensor]
    ) -> tuple[Output, list[Output]]:
        """One forward pass of all images in train mode, so that BatchNorm sees one mixture."""
        unused = [weak] if self.config.weak_in_forward else []
        output = self.student(torch.cat([x_l, *unused, *views]))
        labeled, *others = output.split(len(x_l), *[len(weak)] * len([*unused, *views]))
        return labeled, others[len(unused) :]

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The teacher's labels where it is confident."""
        by_student = self.config.ablation.student_labels
        label, confidence = self._by_student(weak) if by_student else self._by_teacher(weak)
        pseudo = PseudoLabel(label.masked_fill(~valid, IGNORE), confidence)
        return keep_confident(pseudo, self.config.threshold)

    def predictors(self) -> dict[str, torch.nn.Module]:
        """The teacher, which the paper reports, and the student."""
        return {"teacher": self.teacher.network, "student": self.student}


class Easiness(NamedTuple):
    """How well student and teacher agree on each image, and how confident they are."""

    easiness: Tensor  # [B] in [0, 1], h; hardness is 1 - h
    confident_s: Tensor  # [B] in [0, 1], rho_s
    confident_t: Tensor  # [B] in [0, 1], rho_t


@torch.no_grad()
def easiness(
    predicted_s: PseudoLabel,
    predicted_t: PseudoLabel,
    num_classes: int,
    threshold: float,
    ignore_background: bool = True,
    weight_by_area: bool = True,
) -> Easiness:
    """Easiness h of each image (eq. 4-6), on the device, without loops over images or classes.

    All pixels of the view count, including padding, as in the released code.

    Args:
        predicted_s: the student's labels and confidences, [B, H, W] each.
        predicted_t: the teacher's.
        num_classes: K.
        threshold: tau.
        ignore_background: excludes class 0 from the area weights. An image that both networks label
            as background throughout then has h = 0.
        weight_by_area: false takes the plain mean of the IoU over the classes present, including
            the background.
    """
    (label_s, conf_s), (label_t, conf_t) = predicted_s, predicted_t
    b, k = len(label_s), num_classes
    exact = exact_float(label_s.device)
    image = torch.arange(b, device=label_s.device).view(-1, 1, 1)
    pairs = ((image * k + label_s) * k + label_t).flatten()  # one number per (image, p_s, p_t)
    # bincount would first read the largest number, for which a GPU's host would have to wait.
    joint = pairs.new_zeros(b * k * k).scatter_add_(0, pairs, torch.ones_like(pairs))
    joint = joint.view(b, k, k).to(exact)
    both, n_s, n_t = joint.diagonal(dim1=1, dim2=2), joint.sum(2), joint.sum(1)  # [B, K] each
    union = n_s + n_t - both
    iou = both / union.clamp(min=1)  # 0 for a class in neither map

    def weighted_iou(area: Tensor) -> Tensor:
        weight = area.clone() if weight_by_area else (union > 0).to(exact)
        if ignore_background and weight_by_area:
            weight[:, 0] = 0
        return (weight * iou).sum(1) / weight.sum(1).clamp(min=1)

    rho_s = (conf_s >= threshold).to(exact).mean((1, 2))
    rho_t = (conf_t >= threshold).to(exact).mean((1, 2))
    h = (rho_t * weighted_iou(n_t) + rho_s * weighted_iou(n_s)) / 2
    return Easiness(h.float(), rho_s.float(), rho_t.float())
