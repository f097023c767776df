"""iMAS: Instance-specific and Model-adaptive Supervision for Semi-supervised Semantic Segmentation.

Zhen Zhao, Sifan Long, Jimin Pi, Jingdong Wang, Luping Zhou. CVPR 2023. https://arxiv.org/abs/2211.11335

A mean teacher with hard pseudo-labels, in which every unlabeled image is treated by how easy it is
for the model as it is now. With label maps p_s (student) and p_t (teacher) of the weak view, and
rho_s, rho_t the share of pixels with confidence >= tau, in [0, 1]:

    wIoU(p_m, .) = sum_c n_m(c) IoU_c / sum_c n_m(c)                n_m(c): pixels of class c in p_m
    easiness h   = (rho_t wIoU(p_t, p_s) + rho_s wIoU(p_s, p_t)) / 2      hardness gamma = 1 - h
    x_strong     = h A_s(x_w) + (1 - h) x_w                         adaptive intensity
    CutMix         with probability mean(h), pairing easy with hard images
    L            = L_labeled + lambda/2 mean_i h_i (l_i(strong) + l_i(cutmix))
    theta_t      = EMA(theta_s)

Where paper and released code differ, the code's behavior is kept, and it says so at the line:
* The paper prints the blend with h and 1 - h exchanged; its authors call that a typo.
* The released code calls h "hardness". Here it is `easiness`, and `hardness.csv` holds 1 - h.
* The code leaves the background out of wIoU's weights; the paper does not (`ignore_background`).
* Ours: padding never becomes a pseudo-label, and CutMix pairs over all processes, not in one GPU.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.methods.method import Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts import processes
from fewmask.parts.losses import SupervisedLoss, confident_cross_entropy
from fewmask.parts.mixing import cutmix, easy_hard_partners, random_boxes, require_partners
from fewmask.parts.precision import exact_float
from fewmask.parts.pseudo_labels import PseudoLabel, keep_confident, pseudo_label
from fewmask.parts.teacher import Teacher, ramped_decay


class IMAS(Method):
    """Student and EMA teacher; supervision of each unlabeled image adapted to its easiness."""

    class Config(Method.Config):
        """Hyper-parameters of iMAS; the defaults are those of the paper on Pascal VOC."""

        threshold: float = 0.95
        """tau: pseudo-labels below this confidence are ignored (0.95 VOC, 0.7 Cityscapes)."""
        unlabeled_weight: float = 3.0
        """lambda: weight of the unlabeled loss."""
        ema_decay: float = 0.996
        """alpha: how slowly the teacher follows, once its warm-up 1 - 1/n has passed it."""
        teacher_batch_statistics: bool = False
        """Normalizes the teacher's look by the batch, not by running statistics; better when a run
        is short."""
        copy_epochs: int = 1
        """Epochs in which the teacher copies the student; the released code does one, unsaid in
        the paper."""
        ignore_background: bool = True
        """Leaves class 0 out of the IoU weights, as the released code does; set false if class 0
        is no background."""
        weight_by_area: bool = True
        """Weighs each class's IoU by its area; false takes the plain mean over the classes
        present."""
        cutmix_sides: tuple[float, float] = (0.1, 0.9)
        """Range of the CutMix box's side as a fraction of the image's."""
        weak_in_forward: bool = True
        """Sends the weak view through the training forward as well, for BatchNorm's sake; its
        logits are unused. false saves a quarter of the step."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images (Cityscapes: kind=ohem, with model.aux_head=true)."""

    config: Config
    views = Views(strong=("imas",))

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        self.num_classes = self.student.num_classes
        self.teacher = Teacher(self.student, config.teacher_batch_statistics)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, (strong,), valid, *_ = batch.unlabeled
        require_partners(weak)

        # Look at the weak view with both networks, in eval mode: how easy is each image?
        look_s, look_t = self._look(weak)
        k = self.num_classes
        easy = easiness(look_s, look_t, k, c.threshold, c.ignore_background, c.weight_by_area)
        h = easy.easiness  # [B]
        pseudo = look_t._replace(label=look_t.label.masked_fill(~valid, IGNORE))

        # Easy images get the full strong view, hard ones stay near the weak view.
        strong = weak.lerp(strong, h.view(-1, 1, 1, 1))
        views, targets = [strong], [pseudo]
        h_mean = processes.mean(h.mean())
        if torch.rand(()) < h_mean:
            global_h = processes.gather(h)
            height, width = weak.shape[-2:]
            boxes = random_boxes(len(global_h), height, width, c.cutmix_sides)
            mixed, mixed_pseudo = cutmix(weak, pseudo, easy_hard_partners(global_h), boxes)
            views.insert(0, mixed)
            targets.insert(0, mixed_pseudo)

        # One forward in train mode for everything, so that BatchNorm sees one mixture.
        unused = [weak] if c.weak_in_forward else []
        output = self.student(torch.cat([x_l, *unused, *views]))
        labeled, *others = output.split(len(x_l), *[len(weak)] * len([*unused, *views]))
        loss_l = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        per_image = [
            confident_cross_entropy(view.logits, *target, c.threshold)
            for view, target in zip(others[len(unused) :], targets, strict=True)
        ]
        # h of the base image, also where CutMix pasted
        loss_u = (h * torch.stack(per_image)).mean()

        if minimize(loss_l + c.unlabeled_weight * loss_u, over=self.student):
            self.teacher.update(self.student, ema_decay(progress, c.ema_decay, c.copy_epochs))
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
    def _look(self, weak: Tensor) -> tuple[PseudoLabel, PseudoLabel]:
        """What student and teacher see in every pixel, padding too."""
        self.student.eval()
        logits_s = self.student(weak).logits
        self.student.train()
        size = weak.shape[-2:]
        return pseudo_label(logits_s, size=size), pseudo_label(self.teacher(weak).logits, size=size)

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The teacher's labels where it is confident."""
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        return keep_confident(pseudo, self.config.threshold)

    def predictors(self) -> dict[str, torch.nn.Module]:
        """The teacher is the model the paper reports; the student is evaluated beside it."""
        return {"teacher": self.teacher.network, "student": self.student}


class Easiness(NamedTuple):
    """How well student and teacher agree on each image, and how sure they are."""

    easiness: Tensor  # [B] in [0, 1], h; hardness is 1 - h
    confident_s: Tensor  # [B] in [0, 1], rho_s
    confident_t: Tensor  # [B] in [0, 1], rho_t


@torch.no_grad()
def easiness(
    look_s: PseudoLabel,
    look_t: PseudoLabel,
    num_classes: int,
    threshold: float,
    ignore_background: bool = True,
    weight_by_area: bool = True,
) -> Easiness:
    """Easiness h of each image (eq. 4-6), on the device, without loops over images or classes.

    Counted over all pixels of the view, padding included, as in the released code.

    Args:
        look_s: the student's labels and confidences, [B, H, W] each.
        look_t: the teacher's.
        num_classes: K.
        threshold: tau.
        ignore_background: leaves class 0 out of the area weights. An image that both networks take
            for background throughout then has h = 0.
        weight_by_area: false takes the plain mean of IoU over the classes present, background too.
    """
    (label_s, conf_s), (label_t, conf_t) = look_s, look_t
    b, k = len(label_s), num_classes
    exact = exact_float(label_s.device)
    image = torch.arange(b, device=label_s.device).view(-1, 1, 1)
    pairs = ((image * k + label_s) * k + label_t).flatten()  # a number per (image, p_s, p_t)
    # not bincount, which reads the largest of them first: a GPU's host would wait
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


def ema_decay(progress: Progress, decay: float, copy_epochs: int) -> float:
    """The teacher's decay: 0 for `copy_epochs` epochs, then min(1 - 1/n, decay).

    n counts steps as the released code does, from the start of the last copying epoch.
    """
    since_copying = progress.step - copy_epochs * progress.steps_per_epoch
    if since_copying < 0:
        return 0.0
    return ramped_decay(since_copying + progress.steps_per_epoch, decay)
