"""PseudoSeg: Designing Pseudo Labels for Semantic Segmentation.

Yuliang Zou, Zizhao Zhang, Han Zhang, Chun-Liang Li, Xiao Bian, Jia-Bin Huang, Tomas Pfister.
ICLR 2021. https://arxiv.org/abs/2010.09713

One network, no teacher. Soft pseudo-labels of the weak view x_w fuse two opinions: the decoder's
logits p, and m, class activation maps of a classifier H spread by self-attention (SGC):

    maps     = ReLU(W F) / max, for classes in the image          F, F': last two encoder stages
    m        = BN([b, u] W_c),  u = softmax(Q K^T / sqrt(d)) maps + maps,  b = 2 - max u
    s        = sqrt(mean(p^2, m^2))                               one joint scale per batch
    P        = gamma softmax(p / s) + (1 - gamma) softmax(m / s)
    y        = P^(1/T) / sum P^(1/T)                              sharpened, used as a soft target
    L_u      = mean over valid pixels of CE(y, student(x_s)),     at stride 4
    L        = L_s + L_sgc + L_cls + lambda L_u
    L_s      = CE(student(x_l), y_l)    L_sgc = CE(m(x_l), y_l)    L_cls = BCE(H(x), classes of x)

x_s: the weak view in other colors, with a box cut out. No gradient passes through y, the maps, the
attention's features, or the classes predicted for an unlabeled image. With image-level labels
(`data.image_labels`) the maps of unlabeled images use those, and L_cls learns from them instead of
from the labeled images.

The released code is followed where it and the paper differ (RMS over the batch instead of a norm,
a box of 100 pixels, 1/sqrt(d), the background score). Deviations from it:
* BatchNorm and the scale s see the batch of all processes, not of one GPU.
* Masks are sampled where the logits lie (corners aligned), not up to 15 pixels beside.
* Colors are jittered on the crop, not on the whole scaled image before it.
* Image-level labels are those of the image; the code took them from the masks of the crop.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.batch import Batch, Progress, StepReport, Views, send
from fewmask.methods.method import Method, Minimize
from fewmask.models import Output, Segmenter
from fewmask.parts import processes
from fewmask.parts.cam import AttentionPropagation, class_activation_maps, classes_in
from fewmask.parts.losses import SupervisedLoss, cross_entropy, soft_cross_entropy
from fewmask.parts.mixing import at_grid, random_cut
from fewmask.parts.pseudo_labels import PseudoLabel, only_confident, pseudo_label, sharpen
from fewmask.parts.resizing import resize


class PseudoSeg(Method):
    """One network that fuses two opinions of the weak view into the target of the strong one."""

    class Config(Method.Config):
        """Hyper-parameters of PseudoSeg; the defaults are those of the released code."""

        unlabeled_weight: float = 1.0
        """lambda: weight of the unlabeled loss."""
        decoder_share: float = 0.5
        """gamma: the decoder's share in the fusion; the rest is the attention's."""
        temperature: float = 0.5
        """T: below 1 sharpens the fused pseudo-label."""
        threshold: float = 0.0
        """tau: pixels whose pseudo-label has no class above it add nothing to the loss."""
        class_threshold: float = 0.5
        """Classes the classifier gives this probability count as present in an unlabeled image."""
        attention_dimension: int = 128
        """d: channels of queries and keys."""
        cutout_side: float = 0.195
        """Side of the CutOut box as a fraction of the crop's (100 of 513 pixels)."""
        has_background: bool = True
        """Whether class 0 is background, which has no activation map; false on street scenes."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss of the decoder on labeled images."""

    config: Config
    views = Views(strong=("pseudoseg",))

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(lambda: cast(Any, WithAttention(create_network(), config)), config)
        self.num_classes = self.student.num_classes
        self.first_class = int(config.has_background)  # the first class with an activation map

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, (strong,), valid, _, present = batch.unlabeled
        height, width = weak.shape[-2:]
        cut = send(random_cut(len(weak), height, width, c.cutout_side), weak.device)
        strong, valid = strong.masked_fill(cut[:, None], 0), valid & ~cut
        present_l = classes_in(y_l, self.num_classes)[:, self.first_class :]
        present_u = None if present is None else present[:, self.first_class :].float()

        views: Passes = self.student(x_l, present_l, weak, strong, valid, present_u)
        valid = at_grid(valid, views.strong.shape[-2:])  # [B, h, w] at stride 4
        target = sharpen(fuse(views.decoder, views.attention, c.decoder_share), c.temperature)
        confident = target.amax(dim=1) >= c.threshold

        loss_s = c.supervised_loss(views.labeled.logits, views.labeled.aux_logits, y_l)
        loss_sgc = cross_entropy(views.labeled_attention, y_l)
        truth = present_l if present_u is None else present_u
        loss_cls = F.binary_cross_entropy_with_logits(views.class_logits, truth)
        loss_u = soft_cross_entropy(views.strong, target, valid, confident)
        minimize(loss_s + loss_sgc + loss_cls + c.unlabeled_weight * loss_u, over=self.student)

        pixels = processes.mean(valid.sum().float()).clamp(min=1)
        entropy = -(target * target.clamp(min=1e-8).log()).sum(dim=1)
        agree = views.decoder.argmax(dim=1) == views.attention.argmax(dim=1)
        return StepReport(
            {
                "labeled": loss_s.detach(),
                "unlabeled": loss_u.detach(),
                "sgc": loss_sgc.detach(),
                "class": loss_cls.detach(),
            },
            used_pixels=(confident & valid).float().mean(),
            scalars={
                "fusion_entropy": (entropy * valid).sum() / pixels,
                "fusion_agreement": (agree & valid).sum() / pixels,
            },
        )

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The fused labels where they are confident; classes present are judged, not known."""
        c, unused = self.config, weak.new_zeros(len(weak), self.num_classes - self.first_class)
        views: Passes = self.student(weak, unused, weak, weak, valid, None)
        target = sharpen(fuse(views.decoder, views.attention, c.decoder_share), c.temperature)
        logits = resize(target, weak.shape[-2:]).clamp(min=1e-8).log()
        return only_confident(pseudo_label(logits, valid), c.threshold)

    def predictors(self) -> dict[str, nn.Module]:
        """The decoder alone; classifier and attention serve training."""
        return {"student": cast(nn.Module, self.student.segmenter)}


class Passes(NamedTuple):
    """What one step sees of the network."""

    labeled: Output  # of x_l
    labeled_attention: Tensor  # [B, K, h, w] m of x_l
    class_logits: Tensor  # [B, K or K-1] of H: of x_l, or of x_w if its classes are known
    decoder: Tensor  # [B, K, H/4, W/4] p of x_w, no gradient
    attention: Tensor  # [B, K, H/4, W/4] m of x_w, no gradient
    strong: Tensor  # [B, K, H/4, W/4] logits of x_s


class WithAttention(nn.Module):
    """A segmenter with PseudoSeg's classifier and attention; one call does a step's passes.

    Args:
        segmenter: the network that remains after training.
        config: of the method.
    """

    def __init__(self, segmenter: Segmenter, config: PseudoSeg.Config):
        super().__init__()
        self.segmenter = segmenter
        self.num_classes = segmenter.num_classes
        self.class_threshold = config.class_threshold
        *_, inner, last = cast(list[int], segmenter.encoder.channels)
        self.classifier = nn.Linear(last, self.num_classes - config.has_background)
        self.attention = AttentionPropagation(
            last + inner, self.num_classes, config.has_background, config.attention_dimension
        )

    @property
    def encoder(self) -> nn.Module:
        """The segmenter's: the optimizer gives it a learning rate of its own."""
        return self.segmenter.encoder

    def forward(
        self,
        x_l: Tensor,
        present_l: Tensor,
        weak: Tensor,
        strong: Tensor,
        valid: Tensor,
        present_u: Tensor | None,
    ) -> Passes:
        """All passes of a step.

        Args:
            x_l: [B, 3, H, W] labeled images.
            present_l: [B, K or K-1], 1 for classes in them.
            weak: [B, 3, H, W] weak views.
            strong: [B, 3, H, W] strong views.
            valid: [B, H, W] bool.
            present_u: like `present_l` for the unlabeled images, if known.
        """
        stages = self.encoder(x_l)
        labeled = self.segmenter.decode(stages, x_l.shape[-2:])
        class_logits = self._classify(stages)
        labeled_attention = self._attend(stages, present_l, None)
        with torch.set_grad_enabled(present_u is not None):
            stages_w = self.encoder(weak)
        if present_u is not None:
            class_logits = self._classify(stages_w)
        with torch.no_grad():
            decoder = self._stride4(stages_w)
            attention = resize(self._look(weak, valid, present_u), decoder.shape[-2:])
        return Passes(
            labeled,
            labeled_attention,
            class_logits,
            decoder,
            attention,
            self._stride4(self.encoder(strong)),
        )

    def _stride4(self, stages: list[Tensor]) -> Tensor:
        logits: Tensor = self.segmenter.decode(stages, stages[0].shape[-2:]).upsampled_logits
        return logits

    def _classify(self, stages: list[Tensor]) -> Tensor:
        logits: Tensor = self.classifier(stages[-1].mean(dim=(2, 3)))
        return logits.float()

    def _look(self, weak: Tensor, valid: Tensor, present: Tensor | None) -> Tensor:
        """Attends to the weak view; the encoder uses running statistics, the attention its own."""
        self.encoder.eval()
        stages = self.encoder(weak)
        self.encoder.train()
        if present is None:
            present = (self._classify(stages).sigmoid() >= self.class_threshold).float()
        return self._attend(stages, present, valid)

    def _attend(self, stages: list[Tensor], present: Tensor, valid: Tensor | None) -> Tensor:
        last, inner = stages[-1].detach(), stages[-2].detach()
        maps = class_activation_maps(last, self.classifier.weight.detach(), present)
        hypercolumn = torch.cat([last, resize(inner, last.shape[-2:])], dim=1)
        if valid is not None:
            valid = at_grid(valid, last.shape[-2:])
        logits: Tensor = self.attention(maps, hypercolumn, valid)
        return logits


def fuse(decoder: Tensor, attention: Tensor, decoder_share: float) -> Tensor:
    """Calibrated fusion: both logits are divided by one joint scale, and their softmaxes averaged.

    Args:
        decoder: [B, K, h, w] p.
        attention: [B, K, h, w] m.
        decoder_share: gamma.

    Returns:
        [B, K, h, w] probabilities.
    """
    squares = (decoder.square().mean() + attention.square().mean()) / 2
    scale = (processes.mean(squares) + 1e-8).sqrt()
    first, second = (decoder / scale).softmax(dim=1), (attention / scale).softmax(dim=1)
    return decoder_share * first + (1 - decoder_share) * second
