"""GTA-Seg: Semi-Supervised Semantic Segmentation via Gentle Teaching Assistant.

Ying Jin, Jiaqi Wang, Dahua Lin. NeurIPS 2022. https://arxiv.org/abs/2301.07340

Pseudo-labels help features and harm the classifier. So a third network, the assistant A, learns
from them; its feature extractor phi flows gently into the student S, its mask predictor psi never.
S learns from human labels alone, and the teacher T, which makes the pseudo-labels, follows S:

    L_u      = sum_{i in K} w_i CE(A(x_u)_i, y_i) / sum_i w_i          minimized over A
               y, c: label and confidence of T, after CutMix
               K = { i : c_i > percentile(c, 100 - q) }
               w_i = 1 + c_i in K, 1 for dropped pixels
    phi_S   <- d phi_S + (1 - d) phi_A                             d(n) = min(1 - 1/(n+1), kappa)
    L_s      = CE(S(x_l), y_l)                                         minimized over S
    theta_T <- d theta_T + (1 - d) theta_S

Epochs of warm-up train S on labels alone; then A and T start as copies of it.

This is the paper. The released code does something else, and so does not test the paper's claim:
* There, one line makes S and A share the mask predictor's memory for ever, so that pseudo-labels
  do train it. Here no two networks ever share storage.
* There, c comes from a second look of T, in train mode at the mixed image. Here it belongs to y.
* There, the learning rate of A never falls, checkpoints forget A, and padding is class 0.
* Ours: BatchNorm statistics are copied at the hand-over, T's follow those of S by EMA, CutMix pairs
  over all processes, and so does the percentile.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.errors import UserError
from fewmask.methods.method import Method, Minimize
from fewmask.models import Segmenter
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

        keep_percent: float = 80.0
        """q: about this share of the pixels, the most confident, is used as pseudo-label."""
        unlabeled_weight: float = 1.0
        """lambda: weight of the assistant's loss."""
        feature_decay: float = 0.999
        """kappa of A -> S: how slowly the student's features follow the assistant's."""
        ema_decay: float = 0.999
        """kappa of S -> T: how slowly the teacher follows the student."""
        cutmix_probability: float = 0.5
        """How often a batch is mixed."""
        warmup_epochs: int = 1
        """Epochs in which the student learns alone."""
        teacher_batch_statistics: bool = False
        """Normalizes the teacher's look by the batch, not by running statistics; better when a run
        is short."""
        mask_predictor: tuple[str, ...] = ("head", "aux_head")
        """psi: parts of the network, by attribute, that never flow from assistant to student."""
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
        kept = {id(p) for part in self._mask_predictor(student) for p in part.parameters()}
        self.flowing = [i for i, p in enumerate(student.parameters()) if id(p) not in kept]

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step: of the student in the warm-up, then of assistant and student in turn."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, _, valid, *_ = batch.unlabeled
        require_partners(weak)
        updates = progress.step - c.warmup_epochs * progress.steps_per_epoch
        if updates < 0:
            output = self.student(x_l)
            loss_s = c.supervised_loss(output.logits, output.aux_logits, y_l)
            if minimize(loss_s, over=self.student):
                self.teacher.update(self.student, decay=0)
            return StepReport({"labeled": loss_s.detach()})
        if updates == 0:
            follow(tensors(self.assistant), tensors(self.student), decay=0)

        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        mixed, pseudo = cutmix_with_next(weak, pseudo, c.cutmix_probability)
        images = torch.cat([x_l, mixed])  # BatchNorm sees both; each network learns from one half

        # The assistant learns from pseudo-labels, and hands its features on.
        _, output = self.assistant(images).split(len(x_l), len(mixed))
        target, weight, cut = gentle_weights(pseudo.label, pseudo.confidence, c.keep_percent)
        loss_u = gentle_loss(output.logits, target, weight)
        loss = loss_u
        if output.aux_logits is not None:
            aux_loss = gentle_loss(output.aux_logits, target, weight)
            loss = loss + c.supervised_loss.aux_weight * aux_loss
        decay = ramped_decay(updates, c.feature_decay)
        if minimize(c.unlabeled_weight * loss, over=self.assistant):
            follow(self._features(self.student), self._features(self.assistant), decay)

        # The student learns from labels, and the teacher follows it.
        output, _ = self.student(images).split(len(x_l), len(mixed))
        loss_s = c.supervised_loss(output.logits, output.aux_logits, y_l)
        if minimize(loss_s, over=self.student):
            self.teacher.update(self.student, ramped_decay(updates, c.ema_decay))
        return StepReport(
            {"labeled": loss_s.detach(), "assistant": loss_u.detach()},
            used_pixels=(target != IGNORE).float().mean(),
            scalars={"confidence_cut": cut},
        )

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The teacher's labels that the assistant would learn from."""
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        kept, *_ = gentle_weights(pseudo.label, pseudo.confidence, self.config.keep_percent)
        return pseudo._replace(label=kept)

    def predictors(self) -> dict[str, nn.Module]:
        """The teacher is what the released code reports; student and assistant beside it."""
        return {
            "teacher": self.teacher.network,
            "student": self.student,
            "assistant": self.assistant,
        }

    def _mask_predictor(self, network: nn.Module) -> list[nn.Module]:
        """The modules that `mask_predictor` names; a network without auxiliary head has none."""
        for name in self.config.mask_predictor:
            if not hasattr(network, name):
                have = ", ".join(name for name, _ in network.named_children())
                raise UserError(
                    f"method.mask_predictor names '{name}', but the network's parts are: {have}."
                )
        parts = [getattr(network, name) for name in self.config.mask_predictor]
        return [part for part in parts if part is not None]

    def _features(self, network: nn.Module) -> list[Tensor]:
        """phi: the parameters outside the mask predictor, found by position, not by name."""
        parameters = list(network.parameters())
        return [parameters[i] for i in self.flowing]


def gentle_weights(
    label: Tensor, confidence: Tensor, keep_percent: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Which pseudo-labels the assistant uses, and how much each counts.

    Dropped are the pixels at or below the (100 - keep_percent) percentile of the confidences of all
    processes; so equal confidences at the cut are all dropped. "Laplace smoothing" is the 1 in
    1 + c.

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
    """`values.nanquantile(q)`, also of more than the 16 million numbers that torch's takes."""
    ordered = values.flatten().sort().values  # NaN last
    place = q * (~ordered.isnan()).sum().sub(1).clamp(min=0).to(exact_float(values.device))
    low, high = place.floor(), place.ceil()
    ends = [ordered.gather(0, end.long().view(1))[0] for end in (low, high)]
    return ends[0].lerp(ends[1], (place - low).to(values.dtype))


def gentle_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy, weighted, over the weights of all pixels: dropped ones weigh in the divisor.

    Args:
        logits: [B, K, h, w]; read at the target's size.
        target: [B, H, W] int64, 255 = dropped.
        weight: [B, H, W].
    """
    return pixel_cross_entropy(logits, target, weight).sum() / processes.mean(weight.sum())
