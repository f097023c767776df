"""PCR: Semi-supervised Semantic Segmentation with Prototype-based Consistency Regularization.

Hai-Ming Xu, Lingqiao Liu, Qiuchen Bian, Zhen Yang. NeurIPS 2022. https://arxiv.org/abs/2210.04388

A second predictor reads the same features f as the linear head: each class has several prototypes
p_ck, and a pixel takes the class of the nearest one. The teacher's linear head supervises both:

    z^P_c(f)  = max_k cos(f, p_ck) / T                       prototype logits, on sampled pixels
    L_l       = CE(z_l, y_l) + CE(z^P_l, y_l)
    L_u       = mean_j m_j CE(z_j, y_j) + mean_j m_j CE(z^P_j, y_j)
                y, q: label and confidence of the teacher, after CutMix;  m_j = 1[q_j >= tau]
    L         = L_l + L_u
    p_ck     <- alpha p_ck + (1 - alpha) mean { f_j : y_j = c, k nearest within c }
    theta_t   = EMA(theta_s)

During the warm-up the student learns from labels alone; then k-means over features of the
labeled images places the prototypes. Labeled and confident unlabeled pixels update the prototypes
together.

No training code was ever released. Where the paper is silent, we chose:
* CutMix is the strong view, with probability 1/2 per batch, as in U2PL, whose loop PCR extends.
* The unlabeled losses are means over all pixels, not only over the confident ones.
* The prototypes start from k-means on the run's own features; the authors used an unpublished file.
"""

from collections.abc import Callable, Iterable

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Labeled, Progress, StepReport, Views
from fewmask.errors import UserError
from fewmask.methods.ablations.pcr import Ablation
from fewmask.methods.method import Method, Minimize
from fewmask.models import Output, Segmenter
from fewmask.parts import processes
from fewmask.parts.losses import SupervisedLoss, cross_entropy
from fewmask.parts.mixing import cutmix_with_next, require_partners
from fewmask.parts.prototypes import Prototypes, features_at, stratified_points
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label
from fewmask.parts.teacher import Teacher, ramped_decay


class PCR(Method):
    """Student with a linear and a prototype predictor, and an EMA teacher."""

    class Config(Method.Config):
        """Hyper-parameters of PCR; the defaults are those of its configs on Pascal VOC."""

        threshold: float = Field(default=0.8, ge=0, le=1)
        """tau: pseudo-labels below this confidence are ignored (0.8 VOC, 0.65 Cityscapes)."""
        prototypes: int = Field(default=4, ge=1, le=4096)
        """Prototypes per class (4 VOC, 3 Cityscapes)."""
        temperature: float = Field(default=0.1, gt=0)
        """T: divides the cosine."""
        prototype_momentum: float = Field(default=0.99, ge=0, le=1)
        """alpha: how slowly prototypes follow the features."""
        prototype_weight: float = Field(default=1.0, ge=0)
        """Weight of the prototype predictor's losses."""
        cells: int = Field(default=32, ge=1, le=8192)
        """g: the prototype predictor sees one pixel in each cell of a grid of cells x cells."""
        cutmix_probability: float = Field(default=0.5, ge=0, le=1)
        """Probability that a batch is mixed."""
        warmup_epochs: int = Field(default=1, ge=0, le=10**9)
        """Epochs on labeled images alone, before the prototypes are placed."""
        warmup_steps: int | None = Field(default=None, ge=0, le=10**9)
        """Steps of this warm-up; null: `warmup_epochs` passes over the unlabeled images, as in the
        paper."""
        ema_decay: float = Field(default=0.99, ge=0, le=1)
        """beta: how slowly the teacher follows the student, once the ramp 1 - 1/(n + 1) has reached
        beta."""
        teacher_batch_statistics: bool = False
        """Lets the teacher's BatchNorm normalize by the batch instead of running statistics; better
        in short runs."""
        supervised_loss: SupervisedLoss = SupervisedLoss(kind="ohem")
        """Loss of the linear head on labeled images (Cityscapes: with model.aux_head=true)."""
        ablation: Ablation = Ablation()
        """What an ablation leaves out or replaces; by default nothing."""

    config: Config
    views = Views()

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        student = self.student
        if config.prototypes > config.cells**2:
            raise UserError(
                f"method.prototypes={config.prototypes}: an image gives {config.cells**2} pixels "
                "(method.cells squared) to place prototypes on. Set a number below that."
            )
        self.teacher = Teacher(student, config.teacher_batch_statistics)
        features = student.decoder.out_channels
        self.prototypes = Prototypes(
            student.num_classes, config.prototypes, features, config.temperature
        )

    def prepare(self, labeled: Iterable[Labeled], progress: Progress) -> None:
        """Places the prototypes when the warm-up ends; teacher and student are equal then."""
        a = self.config.ablation
        if a.initialization != "kmeans" and progress.step == 0:
            a.place(self.prototypes)
        if a.initialization != "kmeans" or self._updates(progress) != 0:
            return
        features, labels = [], []
        for image, mask in labeled:
            points = stratified_points(image.shape[-2:], self.config.cells, image.device)
            sampled = features_at(self.teacher(image).features, points, image.shape[-2:])
            # All pixels together may take gigabytes, which a GPU needs for training.
            features.append(processes.gather(sampled).flatten(0, 1).cpu())
            labels.append(processes.gather(_at(mask, points)).flatten().cpu())
        self.prototypes.fit(a.averaged(torch.cat(features)), torch.cat(labels))

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step: on labeled images in the warm-up, then on both."""
        c, a = self.config, self.config.ablation
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, _, valid, *_ = batch.unlabeled
        require_partners(weak)
        updates = self._updates(progress)
        if updates < 0:
            # An impossible grid is refused now, not when the warm-up is over.
            stratified_points(weak.shape[-2:], c.cells, weak.device)
            return self._warm_up(x_l, y_l, minimize)

        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        mixed, pseudo = cutmix_with_next(weak, pseudo, c.cutmix_probability)
        confident = a.confident(pseudo, c.threshold)  # [B, H, W]

        # One forward pass; the linear head is supervised at every pixel.
        output = self.student(torch.cat([x_l, mixed]))
        labeled, unlabeled = output.split(len(x_l), len(mixed))
        loss_l = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        loss_u = cross_entropy(unlabeled.logits, pseudo.label, confident)

        # The prototype predictor is supervised at the same few pixels of all images.
        points = stratified_points(weak.shape[-2:], c.cells, weak.device)
        features = features_at(output.features, points, weak.shape[-2:]).flatten(0, 1)  # [N, D]
        labels_l, labels_u = _at(y_l, points).flatten(), _at(pseudo.label, points).flatten()
        used = _at(confident, points).flatten()
        logits, nearest = self.prototypes(features)
        logits_l, logits_u = logits.tensor_split([len(labels_l)])
        known_l, known_u = self._only_known(labels_l), self._only_known(labels_u)
        known_l = a.hard(logits_l, known_l, c.supervised_loss, y_l.numel())
        loss_pl = cross_entropy(logits_l, known_l)
        loss_pu = cross_entropy(logits_u, known_u, used & (not a.labeled_prototypes))

        loss = loss_l + loss_u + c.prototype_weight * (loss_pl + loss_pu)
        labels = a.moving(labels_l, labels_u.masked_fill(~used, IGNORE))
        self.prototypes.collect(a.averaged(features.detach()), labels, nearest)
        if minimize(loss, over=self.student):
            self.teacher.update(self.student, ramped_decay(updates, c.ema_decay))
            self.prototypes.move(c.prototype_momentum)
        return StepReport(
            {
                "labeled": loss_l.detach(),
                "unlabeled": loss_u.detach(),
                "prototype_labeled": loss_pl.detach(),
                "prototype_unlabeled": loss_pu.detach(),
            },
            used_pixels=(confident & (pseudo.label != IGNORE)).float().mean(),
            scalars={"prototype_agreement": _agreement(logits_u, labels_u, used)},
        )

    def _warm_up(self, x_l: Tensor, y_l: Tensor, minimize: Minimize) -> StepReport:
        """A step on labels alone, after which the teacher is a copy of the student."""
        output = self.student(x_l)
        loss = self.config.supervised_loss(output.logits, output.aux_logits, y_l)
        if minimize(loss, over=self.student):
            self.teacher.update(self.student, decay=0)
        return StepReport({"labeled": loss.detach()})

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The teacher's labels where it is confident."""
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        confident = self.config.ablation.confident(pseudo, self.config.threshold)
        return pseudo._replace(label=pseudo.label.masked_fill(~confident, IGNORE))

    def predictors(self) -> dict[str, nn.Module]:
        """The teacher, which the paper reports, the student, and the prototypes once placed."""
        networks = {"teacher": self.teacher.network, "student": self.student}
        if self.prototypes.known.any():
            networks["prototype"] = PrototypePredictor(self.teacher.network, self.prototypes)
        return networks

    def _updates(self, progress: Progress) -> int:
        """Semi-supervised steps done so far; negative in the warm-up."""
        c = self.config
        return progress.step - progress.in_steps(c.warmup_epochs, c.warmup_steps)

    def _only_known(self, labels: Tensor) -> Tensor:
        """Ignores labels of classes without prototypes: their logit is -inf."""
        known = self.prototypes.known[labels.clamp(max=len(self.prototypes.known) - 1)]
        return labels.masked_fill(~known, IGNORE)


class PrototypePredictor(nn.Module):
    """A network whose pixels are classified by prototypes instead of the head.

    Logits are computed at the features' resolution and then resized. That is 16 times cheaper than
    the released evaluation, which resizes the features.
    """

    def __init__(self, network: nn.Module, prototypes: Prototypes):
        super().__init__()
        self.network, self.prototypes = network, prototypes

    def forward(self, image: Tensor) -> Output:
        """Labels images [B, 3, H, W]."""
        output: Output = self.network(image)
        vectors = output.features.permute(0, 2, 3, 1)  # [B, h, w, D]
        logits = self.prototypes(vectors.flatten(0, 2)).logits.clamp(min=-1e4)
        logits = logits.unflatten(0, vectors.shape[:3]).permute(0, 3, 1, 2)  # [B, K, h, w]
        return output._replace(logits=logits)


def _at(maps: Tensor, points: tuple[Tensor, Tensor]) -> Tensor:
    """Reads maps [B, H, W] at pixels: [B, N]."""
    return maps[:, points[0], points[1]]


def _agreement(logits: Tensor, labels: Tensor, used: Tensor) -> Tensor:
    """Share of the used pixels whose nearest prototype has the pseudo-label's class.

    Args:
        logits: [N, K] of the prototype predictor.
        labels: [N] int64, 0..K-1 or 255.
        used: [N] bool, the confident pixels.
    """
    used = used & (labels != IGNORE)
    agrees = (logits.argmax(dim=1) == labels) & used
    return agrees.sum() / processes.mean(used.sum().float()).clamp(min=1)
