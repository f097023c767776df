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
* `ablation.as_released` repeats what of this a method can do.
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
from fewmask.methods.ablations.gta import Ablation, Released, Stage
from fewmask.methods.method import Method, Minimize
from fewmask.models import Output, Segmenter
from fewmask.parts import processes
from fewmask.parts.losses import SupervisedLoss
from fewmask.parts.mixing import cutmix_with_next, require_partners
from fewmask.parts.pixel_loss import pixel_cross_entropy
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label, surest
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
        ablation: Ablation = Ablation()
        """What an ablation leaves out or replaces, and the released code's behavior; by default
        nothing."""

    config: Config
    views = Views()
    trains = ("student", "assistant")

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        student = self.student
        self.assistant = copy.deepcopy(student)
        self.teacher = Teacher(student, config.teacher_batch_statistics)
        kept = {id(p) for module in self._mask_predictor(student) for p in module.parameters()}
        self.constant_rates = ("assistant",) if config.ablation.as_released else ()
        self.flowing = [i for i, p in enumerate(student.parameters()) if id(p) not in kept]

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step: of the student in the warm-up, then of assistant and student in turn."""
        c, a = self.config, self.config.ablation
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, _, valid, *_ = batch.unlabeled
        require_partners(weak)
        updates, released = self._updates(progress), self._released(progress)
        if released:
            y_l = released.begin(batch)
        if updates < 0:
            loss_s = self._teach_student(self.student(x_l), y_l, minimize, progress)
            return StepReport({"labeled": loss_s.detach()})
        if updates == 0 and not released:
            follow(tensors(self.assistant), tensors(self.student), decay=0)

        pseudo = pseudo_label(self.teacher(weak).logits, valid | a.as_released)
        mixed, pseudo = cutmix_with_next(weak, pseudo, c.cutmix_probability)
        # BatchNorm sees all images; each network learns from one half of them.
        images = torch.cat([x_l, mixed])
        if released:
            pseudo = released.confidence(images, pseudo)
        target, weight, cut = gentle_weights(pseudo, c.keep_percent, a)

        # The assistant learns from pseudo-labels, and hands its features to the student.
        if not a.no_assistant:
            _, output = self.assistant(images).split(len(x_l), len(mixed))
            loss, loss_u = self._pseudo_loss(output, target, weight)
            self._teach_assistant(loss, minimize, progress)

        # The student learns from labels, and the teacher follows it.
        labeled, output = self.student(images).split(len(x_l), len(mixed))
        if a.no_assistant:
            loss, loss_u = self._pseudo_loss(output, target, weight)
        extra = loss if a.no_assistant else None
        loss_s = self._teach_student(labeled, y_l, minimize, progress, extra)
        return StepReport(
            {"labeled": loss_s.detach(), "assistant": loss_u.detach()},
            used_pixels=(target != IGNORE).float().mean(),
            scalars={"confidence_cut": cut},
        )

    def _pseudo_loss(self, output: Output, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The loss on pseudo-labels, lambda L_u of all heads, and L_u of the main one."""
        c = self.config
        loss = loss_u = gentle_loss(output.logits, target, weight)
        if output.aux_logits is not None:
            aux_loss = gentle_loss(output.aux_logits, target, weight)
            loss = loss + c.supervised_loss.aux_weight * aux_loss
        return c.unlabeled_weight * loss, loss_u

    def _teach_assistant(self, loss: Tensor, minimize: Minimize, progress: Progress) -> None:
        """A step of the assistant, after which its features flow to the student."""
        if minimize(loss, over=self.assistant):
            decay = ramped_decay(self._updates(progress), self.config.feature_decay)
            follow(self._features(self.student), self._features(self.assistant), decay)
            if released := self._released(progress):
                released.after_assistant()

    def _teach_student(
        self,
        output: Output,
        y_l: Tensor,
        minimize: Minimize,
        progress: Progress,
        extra: Tensor | None = None,
    ) -> Tensor:
        """Returns L_s, after the steps of student and teacher."""
        c = self.config
        loss_s = c.supervised_loss(output.logits, output.aux_logits, y_l)
        if minimize(loss_s if extra is None else loss_s + extra, over=self.student):
            decay = ramped_decay(max(0, self._updates(progress)), c.ema_decay)
            if released := self._released(progress):
                released.after_student(decay)
            else:
                self.teacher.update(self.student, decay)
        return loss_s

    def _updates(self, progress: Progress) -> int:
        """Semi-supervised steps done so far; negative in the warm-up."""
        c = self.config
        return progress.step - progress.in_steps(c.warmup_epochs, c.warmup_steps)

    def _released(self, progress: Progress) -> Released | None:
        """What the released code does beside the paper's method, if that is wanted."""
        networks = self.student, self.assistant, self.teacher.network
        stage = Stage.of(self._updates(progress), progress)
        return (
            Released(*networks, self.flowing, stage) if self.config.ablation.as_released else None
        )

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The labels of the teacher that the assistant would learn from."""
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        kept, _ = surest(pseudo, self.config.keep_percent)
        return pseudo._replace(label=pseudo.label.masked_fill(~kept, IGNORE))

    def predictors(self) -> dict[str, nn.Module]:
        """The teacher, which the released code reports, the student and the assistant."""
        networks = {"teacher": self.teacher.network, "student": self.student}
        has_assistant = not self.config.ablation.no_assistant
        return networks | ({"assistant": self.assistant} if has_assistant else {})

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
    pseudo: PseudoLabel, keep_percent: float, ablation: Ablation
) -> tuple[Tensor, Tensor, Tensor]:
    """Which pseudo-labels the assistant uses, and the weight of each.

    The paper's "Laplace smoothing" is the 1 in 1 + c.

    Args:
        pseudo: labels, 0..K-1 or 255, and their confidence.
        keep_percent: q.
        ablation: may give other weights.

    Returns:
        Labels with 255 at dropped pixels, weights [B, H, W], and the percentile, 0-d.
    """
    kept, cut = surest(pseudo, keep_percent)
    dropped = (pseudo.label != IGNORE) & ~kept
    weight = ablation.weight(pseudo.confidence.masked_fill(dropped, 0), kept)
    return pseudo.label.masked_fill(~kept, IGNORE), weight, cut


def gentle_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy, divided by the weights of all pixels, including the dropped ones.

    Args:
        logits: [B, K, h, w]; resized to the target's size.
        target: [B, H, W] int64, 255 = dropped.
        weight: [B, H, W].
    """
    total = processes.mean(weight.sum()).clamp(min=1e-6)  # without pixels the loss is 0
    return pixel_cross_entropy(logits, target, weight).sum() / total
