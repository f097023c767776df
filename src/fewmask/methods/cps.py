"""CPS: Semi-Supervised Semantic Segmentation with Cross Pseudo Supervision.

Xiaokang Chen, Yuhui Yuan, Gang Zeng, Jingdong Wang. CVPR 2021. https://arxiv.org/abs/2106.01226

Two networks f_1, f_2 of one architecture, from different random weights, label for each other:

    y_j   = argmax f_j(x)                                     hard, at every pixel, without gradient
    L_cps = CE(f_1(x), y_2) + CE(f_2(x), y_1)
    L_s   = CE(f_1(x_l), y_l) + CE(f_2(x_l), y_l)
    L     = L_s + lambda L_cps

lambda = unlabeled_weight. With CutMix, x is a mixture of two unlabeled images, the labels are those
of the clean ones, and three boxes M are toggled, so that overlaps show the first image again:

    x_m   = (1 - M) x_0 + M x_1                               y_j,m = (1 - M) y_j,0 + M y_j,1

Without it, x are the labeled and the unlabeled images as they are. A step over each network in turn
has exactly the gradients of L, as they share no weights and both label before either moves. There
are no strong colors, no threshold and no EMA, and the first network alone is the result.

Deviations from the released code:
* Padding never becomes a target. There, it is what the networks say about padded black.
* Networks label in eval mode. There, they do so in train mode, which also moves the running
  statistics (`teacher_batch_statistics`).
* Labeled and mixed images share one forward pass of each network.
* Two different images are mixed. There, both loaders give the same image, in another crop.
* The loss is that of one device. There, it is divided by the number of GPUs before the gradients
  are averaged, so its learning rate and weight decay mean other values (see the recipes).
"""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Progress, StepReport, Views
from fewmask.methods.method import Method, Minimize
from fewmask.models import Segmenter
from fewmask.parts import processes
from fewmask.parts.boxes import toggled_boxes
from fewmask.parts.losses import SupervisedLoss, cross_entropy
from fewmask.parts.mixing import cutmix, mirrored_partners, require_partners
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label


class CPS(Method):
    """Two networks from different random weights, each of which teaches the other."""

    class Config(Method.Config):
        """Hyper-parameters of CPS; the defaults are those with CutMix on Pascal VOC."""

        unlabeled_weight: float = Field(default=1.0, ge=0)
        """lambda: weight of the cross supervision (with CutMix: 1 VOC, 5 Cityscapes; without: 1.5
        and 6)."""
        cutmix: bool = True
        """Mixes unlabeled images; false crosses labeled and unlabeled images as they are."""
        teacher_batch_statistics: bool = False
        """Lets BatchNorm of a network that labels normalize by the batch, as in the released code,
        instead of running statistics; better in short runs."""
        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Loss on labeled images (Cityscapes: kind=ohem)."""

    config: Config
    views = Views()
    trains = ("student", "second")

    def __init__(self, create_network: Callable[[], Segmenter], config: Config):
        super().__init__(create_network, config)
        self.second = create_network()  # other random weights: two equal ones would stay equal

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step of each network, on human labels and on those of the other one."""
        assert batch.unlabeled is not None
        # Both networks label before either of them moves.
        x, y_1, y_2 = self._labeled_by_both(batch)
        images = torch.cat([batch.labeled.image, x]) if self.config.cutmix else x
        y_l = batch.labeled.mask
        first = self._teach(self.student, images, y_l, y_2, minimize)
        second = self._teach(self.second, images, y_l, y_1, minimize)

        known = y_1 != IGNORE
        pixels = processes.mean(known.sum().float()).clamp(min=1)
        agreement = ((y_1 == y_2) & known).sum() / pixels
        return StepReport(
            {"labeled": first[0] + second[0], "cps": first[1] + second[1]},
            used_pixels=known[-len(batch.unlabeled.weak) :].float().mean(),
            scalars={"agreement": agreement},
        )

    def _labeled_by_both(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The images to be crossed, and the labels that each network gives them."""
        assert batch.unlabeled is not None
        x, valid = batch.unlabeled.weak, batch.unlabeled.valid
        if not self.config.cutmix:
            x_l, y_l = batch.labeled
            valid_l = batch.labeled_valid  # pixels without a human label are crossed, too
            valid_l = torch.ones_like(y_l, dtype=torch.bool) if valid_l is None else valid_l
            x, valid = torch.cat([x_l, x]), torch.cat([valid_l, valid])
        y_1, y_2 = self._label(self.student, x, valid), self._label(self.second, x, valid)
        if self.config.cutmix:
            require_partners(x)
            partner, (height, width) = mirrored_partners(x), x.shape[-2:]
            boxes = toggled_boxes(len(partner), height, width)
            (_, y_1), (x, y_2) = (cutmix(x, y, partner, boxes) for y in (y_1, y_2))
        return x, y_1.label, y_2.label

    @torch.no_grad()
    def _label(self, network: nn.Module, x: Tensor, valid: Tensor) -> PseudoLabel:
        network.train(self.config.teacher_batch_statistics)
        logits = network(x).logits
        network.train()
        return pseudo_label(logits, valid)

    def _teach(
        self, network: Segmenter, images: Tensor, y_l: Tensor, target: Tensor, minimize: Minimize
    ) -> tuple[Tensor, Tensor]:
        """A step of one network; `target` is for the last images. Returns its L_s and L_cps."""
        c = self.config
        output = network(images)  # one forward pass, so that BatchNorm sees one mixture
        labeled, _ = output.split(len(y_l), len(images) - len(y_l))
        loss_s = c.supervised_loss(labeled.logits, labeled.aux_logits, y_l)
        loss_cps = cross_entropy(output.logits[-len(target) :], target)
        minimize(loss_s + c.unlabeled_weight * loss_cps, over=network)
        return loss_s.detach(), loss_cps.detach()

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor, valid: Tensor) -> PseudoLabel:
        """The labels that teach the student: those of the second network."""
        return self._label(self.second, weak, valid)

    def predictors(self) -> dict[str, nn.Module]:
        """The first network, which the released code reports."""
        # Not the second one: a run that starts from one network's weights fills all predictors with
        # them, and two equal networks would stay equal.
        return {"student": self.student}
