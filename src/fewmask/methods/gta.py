"""GTA-Seg: Semi-Supervised Semantic Segmentation via Gentle Teaching Assistant.

Ying Jin, Jiaqi Wang, Dahua Lin. NeurIPS 2022. https://arxiv.org/abs/2301.07340

Pseudo-labels help features and harm the classifier. So a third network, the assistant A, learns
from them. Its feature extractor phi flows gently into the student S, its mask predictor psi never
does. S learns from human labels alone, and the teacher T, which makes the pseudo-labels, follows S:

    L_u      = sum_{i in K} w_i CE(A(x_u)_i, y_i) / sum_i w_i          minimized over A
               y, c: label and confidence of T, after CutMix
               K = { i : c_i > percentile(c, 100 - q) }
               w_i = 1 + c_i in K, 1 for dropped pixels
    phi_S   <- d phi_S + (1 - d) phi_A                             d(n) = min(1 - 1/(n+1), kappa)
    L_s      = CE(S(x_l), y_l)                                         minimized over S
    theta_T <- d theta_T + (1 - d) theta_S

During the warm-up S learns from labels alone; then A and T start as copies of it.

This file follows the paper. The released code differs, and does not test the paper's claim:
* There, one line makes S and A share the mask predictor's memory permanently, so that pseudo-labels
  do train it. Here no two networks ever share memory.
* There, c comes from a second forward pass of T, in train mode on the mixed image. Here c is the
  confidence of y.
* There, the learning rate of A never falls, checkpoints omit A, and padding is class 0.
* Ours: BatchNorm statistics are copied when the warm-up ends, T's follow those of S by EMA, and
  CutMix and the percentile work on the images of all processes.
"""

import copy
from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.errors import UserError
from fewmask.methods.method import Method, Minimize
from fewmask.models import Output, Segmenter
from fewmask.parts import processes
from fewmask.parts.losses import SupervisedLoss
from fewmask.parts.mixing import cutmix_with_next, require_partners
from fewmask.parts.pixel_loss import pixel_cross_entropy
from fewmask.parts.precision import exact_float
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label
from fewmask.parts.teacher import Teacher, follow, ramped_decay, tensors


class GTA(Method):
    """Student, gentle teaching assistant, and teacher."""

    class Config(Method.Config):
        """Hyper-parameters of GTA-Seg; the defaults are those of the paper on Pascal VOC."""

        keep_percent: float = Field(default=80.0, ge=0, le=100)
        """q: about this percentage of the pixels, the most confident ones, serves as
        pseudo-labels."""
        unlabeled_weight: float = Field(default=1.0, ge=0)
        """lambda: weight of the assistant's loss."""
        feature_decay: float = Field(default=0.999, ge=0, le=1)
        """kappa of A -> S: how slowly the student's features follow the assistant's."""
        ema_decay: float = Field(default=0.999, ge=0, le=1)
        """kappa of S -> T: how slowly the teacher follows the student."""
        cutmix_probability: float = Field(default=0.5, ge=0, le=1)
        """Probability that a batch is mixed."""
        warmup_epochs: int = Field(default=1, ge=0, le=10**9)
        """Epochs in which only the student learns, from labels."""
        warmup_steps: int | None = Field(default=None, ge=0, le=10**9)
        """Steps of this warm-up; null: `warmup_epochs` passes over the unlabeled images, as in the
        paper."""
        teacher_batch_statistics: bool = False
        """Lets the teacher's BatchNorm normalize by the batch instead of running statistics; better
        in short runs."""
        mask_predictor: tuple[str, ...] = ("head", "aux_head")
        """psi: modules of the network (encoder, decoder, head, aux_head) that never flow from
        assistant to student."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images (Cityscapes: kind=ohem, with model.aux_head=true)."""

    config: Config
    views = Views()
    trains = ("student", "assistant")

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        student = self.student
        self.assistant = copy.deepcopy(student)
        self.teacher = Teacher(student, config.teacher_batch_statistics)
        kept = {id(p) for module in self._mask_predictor(student) for p in module.parameters()}
        self.flowing = [i for i, p in enumerate(student.parameters()) if id(p) not in kept]

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step: of the student in the warm-up, then of assistant and student in turn."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, _, valid, *_ = batch.unlabeled
        require_partners(weak)
        updates = progress.step - progress.in_steps(c.warmup_epochs, c.warmup_steps)
        if updates < 0:
            loss_s = self._teach_student(self.student(x_l), y_l, minimize, decay=0)
            return StepReport({"labeled": loss_s.detach()})
        if updates == 0:
            follow(tensors(self.assistant), tensors(self.student), decay=0)

        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        mixed, pseudo = cutmix_with_next(weak, pseudo, c.cutmix_probability)
        target, weight, cut = gentle_weights(pseudo.label, pseudo.confidence, c.keep_percent)
        # BatchNorm sees all images; each network learns from one half of them.
        images = torch.cat([x_l, mixed])

        # The assistant learns from pseudo-labels, and hands its features to the student.
        _, output = self.assistant(images).split(len(x_l), len(mixed))
        loss_u = self._teach_assistant(output, target, weight, minimize, updates)

        # The student learns from labels, and the teacher follows it.
        output, _ = self.student(images).split(len(x_l), len(mixed))
        decay = ramped_decay(updates, c.ema_decay)
        loss_s = self._teach_student(output, y_l, minimize, decay)
        return StepReport(
            {"labeled": loss_s.detach(), "assistant": loss_u.detach()},
            used_pixels=(target != IGNORE).float().mean(),
            scalars={"confidence_cut": cut},
        )

    def _teach_assistant(
        self, output: Output, target: Tensor, weight: Tensor, minimize: Minimize, updates: int
    ) -> Tensor:
        """Returns L_u of the main head, after the step of the assistant."""
        c = self.config
        loss = loss_u = gentle_loss(output.logits, target, weight)
        if output.aux_logits is not None:
            aux_loss = gentle_loss(output.aux_logits, target, weight)
            loss = loss + c.supervised_loss.aux_weight * aux_loss
        if minimize(c.unlabeled_weight * loss, over=self.assistant):
            decay = ramped_decay(updates, c.feature_decay)
            follow(self._features(self.student), self._features(self.assistant), decay)
        return loss_u

    def _teach_student(
        self, output: Output, y_l: Tensor, minimize: Minimize, decay: float
    ) -> Tensor:
        """Returns L_s, after the steps of student and teacher."""
        loss_s = self.config.supervised_loss(output.logits, output.aux_logits, y_l)
        if minimize(loss_s, over=self.student):
            self.teacher.update(self.student, decay)
        return loss_s

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The labels of the teacher that the assistant would learn from."""
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        kept, *_ = gentle_weights(pseudo.label, pseudo.confidence, self.config.keep_percent)
        return pseudo._replace(label=kept)

    def predictors(self) -> dict[str, nn.Module]:
        """The teacher, which the released code reports, the student and the assistant."""
        return {
            "teacher": self.teacher.network,
            "student": self.student,
            "assistant": self.assistant,
        }

    def _mask_predictor(self, network: nn.Module) -> list[nn.Module]:
        """The modules that `mask_predictor` names, except an auxiliary head that is not there."""
        for name in self.config.mask_predictor:
            if not hasattr(network, name):
                have = ", ".join(name for name, _ in network.named_children())
                raise UserError(
                    f"method.mask_predictor names '{name}', but the network's parts are: {have}. "
                    "Name some of these."
                )
        modules = [getattr(network, name) for name in self.config.mask_predictor]
        return [module for module in modules if module is not None]

    def _features(self, network: nn.Module) -> list[Tensor]:
        """phi: the parameters outside the mask predictor, found by position."""
        parameters = list(network.parameters())
        return [parameters[i] for i in self.flowing]


def gentle_weights(
    label: Tensor, confidence: Tensor, keep_percent: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Which pseudo-labels the assistant uses, and the weight of each.

    Pixels at or below the (100 - keep_percent) percentile of the confidences of all processes are
    dropped, so equal confidences at the cut are all dropped. The paper's "Laplace smoothing" is the
    1 in 1 + c.

    Args:
        label: [B, H, W] int64, 0..K-1 or 255.
        confidence: [B, H, W] in [0, 1].
        keep_percent: q.

    Returns:
        Labels with 255 at dropped pixels, weights [B, H, W], and the cut, 0-d.
    """
    labeled = label != IGNORE
    known = processes.gather(confidence.masked_fill(~labeled, torch.nan))
    cut = nan_quantile(known.float(), 1 - keep_percent / 100)
    kept = labeled & (confidence > cut)
    weight = 1 + confidence.masked_fill(labeled & ~kept, 0)
    return label.masked_fill(~kept, IGNORE), weight, cut


def nan_quantile(values: Tensor, q: float) -> Tensor:
    """`values.nanquantile(q)`, without torch's limit of 16 million numbers."""
    ordered = values.flatten().sort().values  # NaN last
    place = q * (~ordered.isnan()).sum().sub(1).clamp(min=0).to(exact_float(values.device))
    low, high = place.floor(), place.ceil()
    ends = [ordered.gather(0, end.long().view(1))[0] for end in (low, high)]
    return ends[0].lerp(ends[1], (place - low).to(values.dtype))


def gentle_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy, divided by the weights of all pixels, including the dropped ones.

    Args:
        logits: [B, K, h, w]; resized to the target's size.
        target: [B, H, W] int64, 255 = dropped.
        weight: [B, H, W].
    """
    return pixel_cross_entropy(logits, target, weight).sum() / processes.mean(weight.sum())
