"""Pseudo-labels: what a network says of an image nobody labeled, and how sure it is."""

from typing import NamedTuple

from torch import Tensor

from fewmask.batch import IGNORE


class PseudoLabel(NamedTuple):
    """The most probable class of each pixel and its probability."""

    label: Tensor  # [B, H, W] int64; 255 where there is nothing to label
    confidence: Tensor  # [B, H, W] float32 in [0, 1]


def pseudo_label(logits: Tensor, valid: Tensor | None = None) -> PseudoLabel:
    """Reads labels and confidence off logits.

    Args:
        logits: [B, K, H, W].
        valid: [B, H, W] bool; where False (padding) the label becomes 255, so that no loss uses it.
    """
    confidence, label = logits.softmax(dim=1).max(dim=1)  # [B, H, W] each
    if valid is not None:
        label = label.masked_fill(~valid, IGNORE)
    return PseudoLabel(label, confidence)


def only_confident(pseudo: PseudoLabel, threshold: float) -> PseudoLabel:
    """The same pseudo-labels with 255 where the confidence is below the threshold."""
    return pseudo._replace(label=pseudo.label.masked_fill(pseudo.confidence < threshold, IGNORE))


def sharpen(probs: Tensor, temperature: float) -> Tensor:
    """Raises probabilities [B, K, ...] to the power 1/T and renormalises them."""
    powered = probs ** (1 / temperature)
    return powered / powered.sum(dim=1, keepdim=True)
