"""Keeps pseudo-labels from drifting to the large classes: alignment, and a threshold per class.

A teacher that has seen few labels is sure of the large classes and doubts the small ones. One
threshold for all then drops the small classes from the pseudo-labels, and training makes it worse.
"""

import torch
from torch import Tensor, nn

from fewmask.batch import IGNORE
from fewmask.parts import processes
from fewmask.parts.pseudo_labels import PseudoLabel

MOMENTUM = 0.9
"""How slowly running values follow those of the batch."""
RAREST = 1e-4
"""Share of the pixels that every class has at least, as far as alignment knows."""
STRIDE = 4
"""Thresholds come from every fourth pixel in both directions; neighbors say the same."""


class Alignment(nn.Module):
    """Adds to logits what brings the predicted class shares closer to those of the labels.

        logits_c + alpha (log prior_c - log predicted_c)

    With alpha = 1 this is distribution alignment, in the form of an adjustment of logits.

    Source: Berthelot et al., ReMixMatch, ICLR 2020, section 3.1; Menon et al., Long-tail learning
    via logit adjustment, ICLR 2021.

    Args:
        num_classes: K.
        strength: alpha, 0 (off) to 1.

    Example:
        alignment.update(logits, valid, labels)
        label = alignment(logits).argmax(dim=1)
        alignment.end_step()
    """

    prior: Tensor  # [K], class shares of the labeled pixels
    predicted: Tensor  # [K], mean probabilities

    def __init__(self, num_classes: int, strength: float):
        super().__init__()
        self.strength = strength
        self.rounds: list[tuple[Tensor, Tensor]] = []  # of this step: sums over pixels, [K] each
        for name in ("prior", "predicted"):
            self.register_buffer(name, torch.full((num_classes,), 1 / num_classes))

    def forward(self, logits: Tensor) -> Tensor:
        """Aligned logits, [B, K, h, w] as given; unchanged if alignment is off."""
        if self.strength == 0:
            return logits
        shares = torch.stack([self.prior, self.predicted]).clamp(min=RAREST).log()
        offset = self.strength * (shares[0] - shares[1])
        return logits + offset.view(1, -1, 1, 1).to(logits.dtype)

    @torch.no_grad()
    def update(self, logits: Tensor, valid: Tensor, labels: Tensor) -> None:
        """Follows the predictions and the labels of a batch.

        The batches of the rounds of a step count as one; `end_step` ends the step.

        Args:
            logits: [B, K, h, w] for the unlabeled images, not aligned.
            valid: [B, h, w] bool, False for padding, whatever is predicted there.
            labels: [B, H, W] of the labeled images, 0..K-1 or 255.
        """
        if self.strength == 0:
            return
        probs = logits.float().softmax(dim=1) * valid.unsqueeze(1)
        if not self.rounds:
            self.before = self.prior.clone(), self.predicted.clone()
        self.rounds.append((_counts(labels, len(self.prior)), probs.sum(dim=(0, 2, 3))))
        # One batch shows a few images, so both are averaged over a hundred.
        prior, predicted = (
            before.lerp(_shares(torch.stack(sums).sum(dim=0)), 0.01)
            for before, sums in zip(self.before, zip(*self.rounds, strict=True), strict=True)
        )
        self.prior.copy_(prior)
        self.predicted.copy_(predicted)

    def end_step(self) -> None:
        """Makes the next batch move the values again; call it when the weights have moved."""
        self.rounds.clear()


class ClassThresholds(nn.Module):
    """Which pseudo-labels are sure enough: in each class, all but the least sure share.

    The threshold of a class is a running quantile of the confidences with which it is predicted, so
    that every class keeps the same share of its pixels.

    Source: Zou et al., Unsupervised domain adaptation for semantic segmentation via class-balanced
    self-training (CBST), ECCV 2018, section 4; running values as in FreeMatch, ICLR 2023.

    Args:
        num_classes: K.
        dropped: share of the pixels of each class to leave out, 0 to 1.
    """

    thresholds: Tensor  # [K]

    def __init__(self, num_classes: int, dropped: float):
        super().__init__()
        self.dropped = dropped
        self.rounds: list[PseudoLabel] = []  # of this step: of the pixels that are looked at, [N]
        self.register_buffer("thresholds", torch.zeros(num_classes))

    def forward(self, pseudo: PseudoLabel) -> Tensor:
        """Which pixels are sure enough, bool [B, H, W]; False where there is no pseudo-label."""
        classes = len(self.thresholds)
        wanted = self.thresholds[pseudo.label.clamp(max=classes - 1)]
        return (pseudo.confidence >= wanted) & (pseudo.label != IGNORE)

    @torch.no_grad()
    def update(self, pseudo: PseudoLabel) -> None:
        """Follows the pseudo-labels of a batch; a class that it does not show keeps its value.

        The batches of the rounds of a step count as one; `end_step` ends the step.
        """
        if not self.rounds:
            self.before = self.thresholds.clone()
        looked_at = (processes.gather(x[:, ::STRIDE, ::STRIDE]).flatten() for x in pseudo)
        self.rounds.append(PseudoLabel(*looked_at))
        label, confidence = (torch.cat(x) for x in zip(*self.rounds, strict=True))
        cuts, counts = class_quantiles(label, confidence, len(self.thresholds), self.dropped)
        weight = torch.where(self.before == 0, 1.0, 1 - MOMENTUM).masked_fill(counts == 0, 0)
        self.thresholds.copy_(self.before.lerp(cuts, weight))

    def end_step(self) -> None:
        """Makes the next batch move the values again; call it when the weights have moved."""
        self.rounds.clear()


def class_quantiles(
    label: Tensor, values: Tensor, num_classes: int, share: float
) -> tuple[Tensor, Tensor]:
    """A quantile of the values of each class, without waiting for a GPU.

    Args:
        label: [N] int64, 0..K-1 or 255.
        values: [N].
        num_classes: K.
        share: of the values of a class that lie below its quantile.

    Returns:
        The quantiles [K], any value for a class without pixels; and the numbers of pixels [K].
    """
    order = values.argsort()
    order = order[label[order].argsort(stable=True)]  # by class, and within it by value
    counts = _counts(label, num_classes)
    first = counts.cumsum(0) - counts
    place = (first + (share * counts).floor()).long().clamp(max=len(values) - 1)
    return values[order][place], counts


def _shares(x: Tensor) -> Tensor:
    """Shares [K] of what all processes count; zeros, which favor no class, if there is nothing."""
    x = processes.total(x)
    return x / x.sum().clamp(min=1)


def _counts(label: Tensor, num_classes: int) -> Tensor:
    """Pixels of each class, float [K]; unlike bincount it does not wait for a GPU."""
    label = label.flatten()
    counts = torch.zeros(num_classes + 1, device=label.device)
    return counts.scatter_add_(
        0, label.clamp(max=num_classes), torch.ones_like(label, dtype=counts.dtype)
    )[:num_classes]
