"""iMAS as research code writes it: the reference for `benchmarks.imas`.

Images are in NCHW. Losses are computed on logits at full resolution, with softmax, max and
cross-entropy as separate operations. Easiness loops over images and classes, the EMA allocates a
tensor per weight, `.item()` waits for every logged value, and the metric masks before it counts.
"""

import copy
import random
from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch

THRESHOLD = 0.0  # every pixel counts, so that each step mixes, on both sides
WEIGHT, DECAY = 3.0, 0.99


class ReferenceIMAS:
    """A student, its teacher, and the training step.

    Args:
        student: the network to train; it returns an `Output`.
        one_forward: sends labeled, weak, mixed and strong images through the network together, as
            the released code and fewmask do, so that BatchNorm sees one mixture. Otherwise each
            view goes alone. That computes something else, and spares the weak view's backward pass.
    """

    def __init__(self, student: nn.Module, one_forward: bool):
        self.student, self.one_forward = student, one_forward
        self.teacher = copy.deepcopy(student)
        trained = [p for p in student.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=0.0)
        self.log: dict[str, float] = {}

    def step(self, batch: Batch) -> None:
        """Trains on labeled and unlabeled images."""
        x_l, y_l = batch.labeled
        weak, (strong,), valid, *_ = batch.unlabeled
        label, confidence, easy = self._pseudo_labels(weak)
        label[~valid] = IGNORE
        share = easy.view(-1, 1, 1, 1)
        strong = strong * share + weak * (1 - share)
        mixed, mixed_label, mixed_conf = mix(weak, label.clone(), confidence.clone(), easy)

        labeled, cut, strong = self._train_logits(x_l, weak, mixed, strong)
        loss_l = F.cross_entropy(labeled, y_l, ignore_index=IGNORE)
        loss_strong = confident_loss(strong, label, confidence, easy)
        loss_cut = confident_loss(cut, mixed_label, mixed_conf, easy)
        loss = loss_l + WEIGHT * (loss_strong + loss_cut) / 2
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self._update_teacher()
        self.log = {
            "loss_labeled": loss_l.item(),
            "loss_strong": loss_strong.item(),
            "loss_cut": loss_cut.item(),
            "easiness": easy.mean().item(),
            "used": (confidence >= THRESHOLD).float().mean().item(),
        }

    @torch.no_grad()
    def _pseudo_labels(self, weak: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The teacher's labels and confidences, and the easiness of each image."""
        self.student.eval()
        self.teacher.eval()
        logits_s = self.student(weak).upsampled_logits
        logits_t = self.teacher(weak).upsampled_logits
        probs_s, probs_t = F.softmax(logits_s, dim=1), F.softmax(logits_t, dim=1)
        conf_s, label_s = torch.max(probs_s, dim=1)
        conf_t, label_t = torch.max(probs_t, dim=1)
        easy = easiness(label_s, conf_s, label_t, conf_t, logits_s.shape[1])
        self.student.train()
        return label_t, conf_t, easy

    def _train_logits(
        self, labeled: Tensor, weak: Tensor, cut: Tensor, strong: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of all but the weak view, whose logits are not used, as in the released code."""
        if self.one_forward:
            together = self.student(torch.cat([labeled, weak, cut, strong])).upsampled_logits
            of_labeled, _, *others = together.split([len(labeled)] + 3 * [len(weak)])
        else:
            of_labeled = self.student(labeled).upsampled_logits
            self.student(weak)
            others = [self.student(view).upsampled_logits for view in (cut, strong)]
        return of_labeled, *others

    @torch.no_grad()
    def _update_teacher(self) -> None:
        teacher_state, student_state = self.teacher.state_dict(), self.student.state_dict()
        for key in teacher_state:
            if teacher_state[key].is_floating_point():
                new = DECAY * teacher_state[key] + (1 - DECAY) * student_state[key]
                teacher_state[key].copy_(new)
            else:
                teacher_state[key].copy_(student_state[key])


def easiness(
    label_s: Tensor, conf_s: Tensor, label_t: Tensor, conf_t: Tensor, num_classes: int
) -> Tensor:
    """Equations 4 to 6 of the paper, image by image and class by class."""
    values = []
    for i in range(len(label_s)):
        a, b = label_s[i].cpu().numpy(), label_t[i].cpu().numpy()
        weighted = {"s": 0.0, "t": 0.0}
        area = {"s": 0, "t": 0}
        for k in range(1, num_classes):
            in_s, in_t = a == k, b == k
            union = np.logical_or(in_s, in_t).sum()
            if union == 0:
                continue
            iou = np.logical_and(in_s, in_t).sum() / union
            for who, mask in (("s", in_s), ("t", in_t)):
                weighted[who] += mask.sum() * iou
                area[who] += mask.sum()
        rho_s = (conf_s[i] >= THRESHOLD).float().mean().item()
        rho_t = (conf_t[i] >= THRESHOLD).float().mean().item()
        values.append(
            (rho_t * weighted["t"] / max(area["t"], 1) + rho_s * weighted["s"] / max(area["s"], 1))
            / 2
        )
    return torch.tensor(values, dtype=torch.float32, device=label_s.device)


def mix(
    images: Tensor, label: Tensor, confidence: Tensor, easy: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mixes easy with hard images by CutMix, one image at a time."""
    order = torch.argsort(easy, descending=True).tolist()
    partner = dict(zip(order, reversed(order), strict=True))
    mixed, height, width = images.clone(), *images.shape[-2:]
    for i in range(len(images)):
        h, w = (int(random.uniform(0.1, 0.9) * side) for side in (height, width))
        top, left = random.randint(0, height - h), random.randint(0, width - w)
        box, j = (..., slice(top, top + h), slice(left, left + w)), partner[i]
        mixed[i][box] = images[j][box]
        label[i][box], confidence[i][box] = label[j][box].clone(), confidence[j][box].clone()
    return mixed, label, confidence


def confident_loss(logits: Tensor, label: Tensor, confidence: Tensor, easy: Tensor) -> Tensor:
    """Cross-entropy of every pixel, masked afterwards."""
    loss = F.cross_entropy(logits, label, ignore_index=IGNORE, reduction="none")
    loss = loss * (confidence >= THRESHOLD).float()
    return (easy * loss.mean(dim=(1, 2))).mean()


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts pairs of labels after removing the ignored pixels."""
    kept = (truth >= 0) & (truth < num_classes)
    pairs = num_classes * truth[kept].astype(int) + prediction[kept].astype(int)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def score(all_logits: Iterable[tuple[Tensor, np.ndarray]], num_classes: int) -> np.ndarray:
    """Upsamples, applies softmax and argmax, and counts, one image at a time."""
    total = np.zeros((num_classes, num_classes), np.int64)
    for logits, truth in all_logits:
        full = F.interpolate(logits, truth.shape, mode="bilinear", align_corners=True)
        probs = F.softmax(full, dim=1).cpu().numpy()
        total += confusion_matrix(truth, np.argmax(probs[0], axis=0), num_classes)
    return total
