"""Class activation maps, and self-attention that spreads them over an image.

Source: Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016; Zou et al.,
PseudoSeg, ICLR 2021.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fewmask.parts.precision import full_precision
from fewmask.parts.resizing import resize

MIN_PEAK = 1e-5  # weaker activations are not stretched to 1


def class_activation_maps(features: Tensor, weight: Tensor, present: Tensor) -> Tensor:
    """Where a classifier (mean over space, then linear) finds each class.

    The result is that of Grad-CAM in closed form: for such a classifier the gradient that Grad-CAM
    averages is the weight itself, the same at every position.

    Args:
        features: [B, C, h, w], before the classifier's mean over space.
        weight: [K, C] of the classifier.
        present: [B, K], 1 for classes in the image; the maps of the others are 0.

    Returns:
        [B, K, h, w] in [0, 1]; the strongest position of a present class is 1.
    """
    with full_precision(features):
        raw = torch.einsum("kc,bchw->bkhw", weight.float(), features.float()).relu()
    maps = raw / (features.shape[-2] * features.shape[-1]) * present[:, :, None, None]
    return maps / maps.amax(dim=(2, 3), keepdim=True).clamp(min=MIN_PEAK)


class AttentionPropagation(nn.Module):
    """Spreads class activation maps along similar features, and scores the background.

        u = P v + v,  P = softmax(Q K^T / sqrt(d))        v: maps, one row per position
        b = 2 - max_c u_c                                 if the classes have a background
        m = BN([b, u] W)                                  logits

    BatchNorm always uses the statistics of the batch. It has a shift but no scale.

    Args:
        in_channels: channels of all features together, of which queries and keys are made.
        num_classes: K.
        has_background: whether class 0 is the background, for which there is no map.
        dimension: d, channels of queries and keys.
    """

    def __init__(
        self, in_channels: int, num_classes: int, has_background: bool, dimension: int = 128
    ):
        super().__init__()
        self.has_background = has_background
        self.query = nn.Conv2d(in_channels, dimension, 1, bias=False)
        self.key = nn.Conv2d(in_channels, dimension, 1, bias=False)
        self.mix = nn.Conv2d(num_classes, num_classes, 1, bias=False)
        self.norm = nn.BatchNorm2d(num_classes, eps=1e-3, track_running_stats=False)
        self.norm.weight.requires_grad_(False)  # stays 1
        for layer in (self.query, self.key, self.mix):
            nn.init.xavier_uniform_(layer.weight)

    def forward(
        self, maps: Tensor, features: Sequence[Tensor], valid: Tensor | None = None
    ) -> Tensor:
        """Turns maps into logits.

        Args:
            maps: [B, K or K-1, h, w] in [0, 1].
            features: [B, C_i, h_i, w_i] each; joined at the size of the first.
            valid: [B, h, w] bool; positions where it is False are not attended to.

        Returns:
            [B, K, h, w] float32.
        """
        size = features[0].shape[-2:]
        hypercolumn = torch.cat([resize(x, size) for x in features], dim=1)  # [B, C, h, w]
        query, key = self.query(hypercolumn).flatten(2), self.key(hypercolumn).flatten(2)
        value = maps.flatten(2).transpose(1, 2).float()  # [B, L, K or K-1]
        with full_precision(hypercolumn):
            scores = query.float().mT @ key.float() / math.sqrt(key.shape[1])  # [B, L, L]
            if valid is not None:  # -inf would give NaN for an image without any valid position
                scores = scores.masked_fill(~valid.flatten(1)[:, None], -1e9)
            spread = scores.softmax(dim=-1) @ value + value
        spread = spread.transpose(1, 2).unflatten(2, maps.shape[-2:])
        if self.has_background:
            background = 2 - spread.amax(dim=1, keepdim=True)
            spread = torch.cat([background, spread], dim=1)
        logits: Tensor = self.norm(self.mix(spread)).float()
        return logits


def classes_in(mask: Tensor, num_classes: int) -> Tensor:
    """Which classes occur in masks [B, H, W]: [B, K] float, 1 or 0."""
    classes = torch.arange(num_classes, device=mask.device).view(1, -1, 1)
    return (mask.flatten(1)[:, None] == classes).any(dim=2).float()
