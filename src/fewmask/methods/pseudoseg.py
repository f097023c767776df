"""PseudoSeg: Designing Pseudo Labels for Semantic Segmentation.

Yuliang Zou, Zizhao Zhang, Han Zhang, Chun-Liang Li, Xiao Bian, Jia-Bin Huang, Tomas Pfister.
ICLR 2021. https://arxiv.org/abs/2010.09713

One network, no teacher. Soft pseudo-labels of the weak view x_w fuse two opinions: the decoder's
logits p, and m, the class activation maps of a classifier H, spread by self-attention (SGC):

    maps     = ReLU(W F) / max, for classes in the image          F, F': last two encoder stages
    m        = BN([b, u] W_c),  u = softmax(Q K^T / sqrt(d)) maps + maps,  b = 2 - max u
    s        = sqrt(mean(p^2, m^2))                               one joint scale per batch
    P        = gamma softmax(p / s) + (1 - gamma) softmax(m / s)
    y        = P^(1/T) / sum P^(1/T)                              sharpened, used as a soft target
    L_u      = mean over valid pixels of CE(y, student(x_s)),     at stride 4
    L        = L_s + L_sgc + L_cls + lambda L_u
    L_s      = CE(student(x_l), y_l)    L_sgc = CE(m(x_l), y_l)    L_cls = BCE(H(x), classes of x)

x_s is the weak view in other colors, with a box cut out. No gradient passes through y, the maps,
the attention's features, or the classes predicted for an unlabeled image. With image-level labels
(`data.image_labels`) the maps of unlabeled images use those classes, and L_cls learns from them
instead of from the labeled images.

Where the released code and the paper differ, this file follows the code (RMS over the batch instead
of a norm, a box of 100 pixels, 1/sqrt(d), the background score). Deviations from the code:
* BatchNorm and the scale s see the batch of all processes, not of one GPU.
* Masks are sampled at the positions of the logits (corners aligned); the code is off by up to 15
  pixels.
* Colors are jittered on the crop, not on the whole scaled image before cropping.
* Image-level labels are those of the image; the code's are of the crop (`ablation.crop_labels`).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fewmask.batch import Batch, Progress, StepReport, Views, send
from fewmask.methods.ablations.pseudoseg import Ablation, one_hot
from fewmask.methods.method import Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts import processes
from fewmask.parts.cam import AttentionPropagation, class_activation_maps, classes_in
from fewmask.parts.losses import SupervisedLoss, cross_entropy, soft_cross_entropy
from fewmask.parts.mixing import at_grid, random_cut
from fewmask.parts.precision import shared_casts
from fewmask.parts.pseudo_labels import (
    PseudoLabel,
    agreement,
    keep_confident,
    pseudo_label,
    sharpen,
)
from fewmask.parts.resizing import resize


class PseudoSeg(Method):
    """One network that fuses two opinions of the weak view into the target of the strong one."""

    class Config(Method.Config):
        """Hyper-parameters of PseudoSeg; the defaults are those of the released code."""

        unlabeled_weight: float = Field(default=1.0, ge=0)
        """lambda: weight of the unlabeled loss."""
        decoder_share: float = Field(default=0.5, ge=0, le=1)
        """gamma: share of the decoder in the fusion; the attention has the rest."""
        temperature: float = Field(default=0.5, gt=0)
        """T: values below 1 sharpen the fused pseudo-label."""
        threshold: float = Field(default=0.0, ge=0, le=1)
        """tau: pixels whose pseudo-label has no class of this probability add nothing to the
        loss."""
        class_threshold: float = Field(default=0.5, ge=0, le=1)
        """A class counts as present in an unlabeled image if the classifier gives it at least this
        probability."""
        attention_dimension: int = Field(default=128, ge=1, le=16384)
        """d: channels of queries and keys."""
        classifier_dropout: float = Field(default=0.0, ge=0, lt=1)
        """Probability of dropping a feature in front of the classifier (0.5 with Xception)."""
        cutout_side: float = Field(default=0.195, ge=0, le=1)
        """Side of the CutOut box, as a fraction of the crop's side (100 of 513 pixels)."""
        has_background: bool = True
        """Whether class 0 is the background, which has no activation map; set it to false on street
        scenes."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss of the decoder on labeled images."""
        ablation: Ablation = Ablation()
        """What the paper's ablations leave out or replace; by default nothing."""

    config: Config
    views: Views = Views(strong=("pseudoseg",))
    trains = (("student", "classifier", "attention"),)

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        a = config.ablation
        self.views = self.views._replace(amount=a.jitter, crop_labels=a.crop_labels)
        k, channels = self.student.num_classes, self.student.decoder.stages.channels
        self.num_classes = k
        self.first_foreground = int(config.has_background)  # the first class with activation maps
        self.classifier = nn.Linear(channels[-1], k - config.has_background)
        self.attention = AttentionPropagation(
            sum(channels[-a.stages :]), k, config.has_background, config.attention_dimension
        )
        self.register_load_state_dict_pre_hook(_rename_old_keys)  # type: ignore[no-untyped-call]

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c, a, student = self.config, self.config.ablation, self.student
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, (strong,), valid, _, present = batch.unlabeled
        height, width = weak.shape[-2:]
        cut = send(random_cut(len(weak), height, width, c.cutout_side), weak.device)
        strong, valid = strong.masked_fill(cut[:, None], 0), valid & ~cut
        present_l = classes_in(y_l, self.num_classes)[:, self.first_foreground :]
        present_u = None if present is None else present[:, self.first_foreground :].float()

        # The passes of all views share their cast weights, as if they were one pass.
        with shared_casts():
            stages = student.encoder(x_l)
            labeled = student.decode(stages, x_l.shape[-2:])
            class_logits, truth = self._classify(stages, c.classifier_dropout), present_l
            labeled_attention = self._attend(stages, present_l, batch.labeled_valid)
            # Without image-level labels nothing learns from the weak view, which then needs no
            # gradient; with them the classifier learns from it instead of the labeled images.
            with torch.set_grad_enabled(present_u is not None):
                stages = student.encoder(weak)
            if present_u is not None:
                class_logits, truth = self._classify(stages, c.classifier_dropout), present_u
            opinions = self._opinions(stages, weak, valid, present_u)
            logits = self._decode(student.encoder(strong))

        valid = at_grid(valid, logits.shape[-2:])  # [B, h, w] at stride 4
        probs = self._fused(opinions)
        target = one_hot(probs) if a.hard_labels else probs
        confident = probs.amax(dim=1) >= c.threshold
        loss_s = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        loss_sgc = cross_entropy(labeled_attention, y_l)
        loss_cls = F.binary_cross_entropy_with_logits(class_logits, truth) * a.classifier_weight
        loss_u = soft_cross_entropy(logits, target, valid, confident)
        minimize(loss_s + loss_sgc + loss_cls + c.unlabeled_weight * loss_u, over=student)
        return StepReport(
            {
                "labeled": loss_s.detach(),
                "unlabeled": loss_u.detach(),
                "sgc": loss_sgc.detach(),
                "class": loss_cls.detach(),
            },
            used_pixels=(confident & valid).float().mean(),
            scalars=agreement(*opinions, target, valid),
        )

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The fused labels where they are confident; the classes in the images are predicted."""
        with shared_casts():
            # Stand-ins for a step's labeled and strong images, which pass before and after, and
            # move the running statistics that the attention depends on.
            self.student.encoder(weak)
            opinions = self._opinions(self.student.encoder(weak), weak, valid, None)
            self.student.encoder(weak)
        logits = resize(self._fused(opinions), weak.shape[-2:]).clamp(min=1e-8).log()
        return keep_confident(pseudo_label(logits, valid), self.config.threshold)

    @torch.no_grad()
    def _opinions(
        self, stages: list[Tensor], weak: Tensor, valid: Tensor, present: Tensor | None
    ) -> "Opinions":
        """What decoder and attention say about the weak view, whose training pass gave `stages`."""
        decoder = self._decode(stages)
        # For the attention the encoder uses running statistics, and the attention those of the
        # batch, as in the released code.
        self.student.encoder.eval()
        stages = self.student.encoder(weak)
        self.student.encoder.train()
        if present is None:
            likely = self._classify(stages, dropout=0).sigmoid()
            present = (likely >= self.config.class_threshold).float()
        attention = self._attend(stages, present, valid)
        return Opinions(decoder, resize(attention, decoder.shape[-2:]))

    def _fused(self, opinions: "Opinions") -> Tensor:
        """[B, K, H/4, W/4] y: the fusion, sharpened unless it becomes a hard label."""
        c = self.config
        probs = fuse(*opinions, c.decoder_share, not c.ablation.uncalibrated)
        return probs if c.ablation.hard_labels else sharpen(probs, c.temperature)

    def _decode(self, stages: list[Tensor]) -> Tensor:
        """[B, K, H/4, W/4] logits of the decoder."""
        # A pyramid's finest map has stride 4; those of a ViT are coarser than its decoder's logits.
        finer = max(1, self.student.decoder.stages.strides[0] / 4)
        height, width = (math.ceil(side * finer) for side in stages[0].shape[-2:])
        logits: Tensor = self.student.decode(stages, (height, width)).upsampled_logits
        return logits

    def _classify(self, stages: list[Tensor], dropout: float) -> Tensor:
        """[B, K or K-1] logits of the classes in the images: H of the last stage's mean."""
        pooled = F.dropout(stages[-1].mean(dim=(2, 3)), dropout)
        logits: Tensor = self.classifier(pooled)
        return logits.float()

    def _attend(self, stages: list[Tensor], present: Tensor, valid: Tensor | None = None) -> Tensor:
        """[B, K, h, w] logits m; no gradient reaches the stages or the classifier."""
        last, inner = stages[-1].detach(), stages[-2].detach()
        maps = class_activation_maps(last, self.classifier.weight.detach(), present)
        if valid is not None:
            valid = at_grid(valid, last.shape[-2:])
        logits: Tensor = self.attention(maps, [last, inner][: self.config.ablation.stages], valid)
        return logits


class Opinions(NamedTuple):
    """Two sets of logits of the weak view, without gradient."""

    decoder: Tensor  # [B, K, H/4, W/4] p
    attention: Tensor  # [B, K, H/4, W/4] m


def fuse(
    decoder: Tensor, attention: Tensor, decoder_share: float, is_calibrated: bool = True
) -> Tensor:
    """Calibrated fusion: both logits are divided by one joint scale, and their softmaxes averaged.

    Args:
        decoder: [B, K, h, w] p.
        attention: [B, K, h, w] m.
        decoder_share: gamma.
        is_calibrated: false leaves the scale out.

    Returns:
        [B, K, h, w] probabilities.
    """
    squares = (decoder.square().mean() + attention.square().mean()) / 2
    scale = (processes.mean(squares) + 1e-8).sqrt() if is_calibrated else 1
    first, second = (decoder / scale).softmax(dim=1), (attention / scale).softmax(dim=1)
    return decoder_share * first + (1 - decoder_share) * second


def _rename_old_keys(method: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Reads checkpoints of before 0.2, whose `student` wrapped all three networks."""
    for key in [key for key in state if key.startswith(prefix + "student.")]:
        name = key.removeprefix(prefix + "student.")
        owner = name.split(".")[0]
        if owner == "segmenter":
            state[f"{prefix}student{name.removeprefix(owner)}"] = state.pop(key)
        elif owner in ("classifier", "attention"):
            state[prefix + name] = state.pop(key)
