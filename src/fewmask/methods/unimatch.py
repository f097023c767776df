"""UniMatch: Revisiting Weak-to-Strong Consistency in Semi-Supervised Semantic Segmentation.

Lihe Yang, Lei Qi, Litong Feng, Wayne Zhang, Yinghuan Shi. CVPR 2023.
https://arxiv.org/abs/2208.09910

There is one network. Where it is sure about the weak view x_w, its labels teach it three perturbed
streams: two strong views x_s, the same crop in other colors, each with a box of another image
(CutMix) in about half of the images; and the weak view again, without some channels of its features
f:

    f_l, f_w    = encoder([x_l, x_w])
    z_l, z_w    = decoder([f_l, f_w])
    z_fp        = decoder(channel dropout(f_w))
    y, c        = argmax, max of softmax(z_w)                            no gradient
    x_s, y_s, c_s = CutMix of x_s, y and c, with boxes of its own         s = 1, 2
    L_s         = sum_i [c_s,i >= tau] CE(student(x_s)_i, y_s,i) / number of valid pixels
    L_fp        = sum_i [c_i >= tau] CE(z_fp,i, y_i) / number of valid pixels
    L_u         = lambda L_fp + mu (L_1 + L_2) / 2
    L           = (L_x + L_u) / 2                                        L_x = CE(z_l, y_l)

tau = threshold, lambda = feature_weight, mu = strong_weight; the dropout takes a share
p = feature_dropout of the channels of each stage and image. All passes are in train mode.

In the code the decoder sees clean and dropped features of labeled and weak views as one batch, so
its BatchNorm normalizes them together, and its running statistics are those of the mixture. Dropped
features of labeled images are decoded for that alone. With joint_statistics = false, or if the
decoder has no BatchNorm, they are left out, and those of weak views have a pass of their own.

Deviations from the released code:
* Boxes are those of another image, with its labels of the same forward pass. In the code they come
  from another crop of the same image, which the network labels in eval mode in a third pass.
* Partners and the divisor are those of the batch of all processes, not of one GPU.
* Padding has the mean color, and is never a pseudo-label.
* The learning rate follows the step. In the code it lags one step behind.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.methods.method import Method, Minimize
from fewmask.models import Output, Segmenter
from fewmask.parts.batchnorm import has_batchnorm
from fewmask.parts.boxes import area_boxes
from fewmask.parts.losses import SupervisedLoss, cross_entropy
from fewmask.parts.mixing import cutmix, mirrored_partners, require_partners
from fewmask.parts.perturbation import channel_dropout
from fewmask.parts.pseudo_labels import PseudoLabel, keep_confident, pseudo_label


class Streams(NamedTuple):
    """What the network says of labeled and weak views, and of weak views without some channels."""

    labeled: Output
    weak: Output
    perturbed: Output


class UniMatch(Method):
    """One student; sure labels of the weak view teach two strong views and perturbed features."""

    class Config(Method.Config):
        """Hyper-parameters of UniMatch; the defaults are those of its code."""

        threshold: float = Field(default=0.95, ge=0, le=1)
        """tau: pseudo-labels below this confidence are ignored (0 Cityscapes)."""
        feature_weight: float = Field(default=0.5, ge=0)
        """lambda: weight of the loss of perturbed features."""
        strong_weight: float = Field(default=0.5, ge=0)
        """mu: weight of the mean loss of both strong views."""
        feature_dropout: float = Field(default=0.5, ge=0, lt=1)
        """p: probability that a channel of the features is dropped."""
        joint_statistics: bool = True
        """Lets the decoder's BatchNorm normalize clean and perturbed features of all images
        together, as the code does; false saves the perturbed features of labeled images."""
        cutmix_probability: float = Field(default=0.5, ge=0, le=1)
        """Probability that a strong view gets a box of another image."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images (Cityscapes: kind=ohem)."""

    config: Config
    views = Views(strong=("unimatch", "unimatch"))

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        self.is_joint = config.joint_statistics and has_batchnorm(self.student.decoder)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on labeled and unlabeled images."""
        c = self.config
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, strong, valid, *_ = batch.unlabeled
        require_partners(weak)

        # The weak view gets labels, which teach its own perturbed features.
        streams = self._streams(x_l, weak)
        pseudo = pseudo_label(streams.weak.logits.detach(), valid)
        confident = pseudo.confidence >= c.threshold  # [B, H, W]
        loss_x = c.supervised_loss(streams.labeled.logits, streams.labeled.aux_logits, y_l)
        loss_fp = cross_entropy(streams.perturbed.logits, pseudo.label, counts=confident)

        # They also teach both strong views; CutMix pastes labels together with their pixels.
        loss_s = self._strong_loss(strong, pseudo)
        loss_u = c.feature_weight * loss_fp + c.strong_weight * loss_s
        minimize((loss_x + loss_u) / 2, over=self.student)
        losses = {"labeled": loss_x, "unlabeled": loss_u, "strong": loss_s, "feature": loss_fp}
        return StepReport(
            {name: loss.detach() for name, loss in losses.items()},
            used_pixels=(confident & (pseudo.label != IGNORE)).float().mean(),
        )

    def _streams(self, x_l: Tensor, weak: Tensor) -> Streams:
        """Encodes labeled and weak views once, and decodes them with and without dropout."""
        count, size, p = (len(x_l), len(weak)), weak.shape[-2:], self.config.feature_dropout
        stages = self.student.encoder(torch.cat([x_l, weak]))
        dropped = channel_dropout([x[len(x_l) :] for x in stages], p)
        if self.is_joint:
            alongside = channel_dropout([x[: len(x_l)] for x in stages], p)
            parts = zip(stages, alongside, dropped, strict=True)
            output = self.student.decode([torch.cat(part) for part in parts], size)
            labeled, clean, _, perturbed = output.split(*count, *count)
        else:
            labeled, clean = self.student.decode(stages, size).split(*count)
            perturbed = self.student.decode(dropped, size)
        return Streams(labeled, clean, perturbed)

    def _strong_loss(self, strong: tuple[Tensor, ...], pseudo: PseudoLabel) -> Tensor:
        """(L_1 + L_2) / 2, in one forward pass of both views."""
        partner, (height, width) = mirrored_partners(strong[0]), strong[0].shape[-2:]
        images, targets = [], []
        for view in strong:
            boxes = area_boxes(len(partner), height, width, self.config.cutmix_probability)
            mixed, target = cutmix(view, pseudo, partner, boxes)
            images.append(mixed)
            targets.append(target)
        outputs = self.student(torch.cat(images)).split(*map(len, images))
        losses = [
            cross_entropy(output.logits, label, counts=confidence >= self.config.threshold)
            for output, (label, confidence) in zip(outputs, targets, strict=True)
        ]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The student's labels where it is confident, normalized by the weak views alone."""
        pseudo = pseudo_label(self.student(weak).logits, valid)
        return keep_confident(pseudo, self.config.threshold)
