"""How hard images are for the networks of a run, and a varied choice among the hardest ones."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fewmask.data.images import to_long_side
from fewmask.evaluation.inference import eval_mode, network_input
from fewmask.evaluation.predictor import Predictor

CANDIDATES = 4
"""To choose N images, the N x 4 hardest ones are considered."""
LARGEST = 2048
"""Longer side at which larger images are assessed. A ranking needs no precise outlines."""


class Assessment(NamedTuple):
    """How the networks of a run predict one image."""

    hardness: np.ndarray  # [h, w] in 0..1, per pixel
    prediction: np.ndarray  # [h, w] labels
    feature: np.ndarray  # [C], mean of the decoder's features, of length 1


Criterion = Callable[[Tensor], Tensor]


def entropy(probs: Tensor) -> Tensor:
    """The entropy of the mean prediction: H(mean p) / log K, [h, w] from [V, K, h, w]."""
    return _entropy(probs.mean(0)) / math.log(probs.shape[1])


def disagreement(probs: Tensor) -> Tensor:
    """How much predictions differ: (H(mean p) - mean H(p)) / log K, [h, w] from [V, K, h, w].

    Source: Houlsby et al., Bayesian Active Learning for Classification, 2011 (BALD).
    """
    each = torch.stack([_entropy(p) for p in probs]).mean(0)
    return ((_entropy(probs.mean(0)) - each) / math.log(probs.shape[1])).clamp(min=0)


def _entropy(probs: Tensor) -> Tensor:
    return -(probs * probs.clamp(min=1e-12).log()).sum(0)


CRITERIA: dict[str, Criterion] = {"entropy": entropy, "disagreement": disagreement}
"""Measures of hardness by name. Each network predicts an image and its mirror image; a criterion
compares these predictions."""


@torch.no_grad()
def assess(predictors: Sequence[Predictor], image: np.ndarray, criterion: Criterion) -> Assessment:
    """Predicts an image and its mirror image with each network, and compares the predictions.

    Args:
        predictors: one or more; the features are those of the first.
        image: uint8 [H, W, C].
        criterion: see `CRITERIA`.
    """
    first = predictors[0]
    long_side = first.long_side or (LARGEST if max(image.shape) > LARGEST else None)
    small = to_long_side(image, long_side)
    predictions, features = [], []
    for predictor in predictors:
        pixels = network_input(predictor.network, small[None], first.device)  # [1, C, h, w]
        with eval_mode(predictor.network):
            plain, mirrored = predictor.network(pixels), predictor.network(pixels.flip(-1))
        predictions.append(plain.upsampled_logits.softmax(1)[0])
        predictions.append(mirrored.upsampled_logits.softmax(1)[0].flip(-1))
        features.append(plain.features.float().mean((0, 2, 3)))
    probs = torch.stack(predictions)  # [V, K, h, w]
    return Assessment(
        criterion(probs).cpu().numpy(),
        probs.mean(0).argmax(0).to(torch.uint8).cpu().numpy(),
        (features[0] / features[0].norm().clamp(min=1e-12)).cpu().numpy(),
    )


def choose(hardness: np.ndarray, features: np.ndarray, count: int) -> list[int]:
    """Chooses hard images that differ: the hardest, then by hardness x distance to those chosen.

    Args:
        hardness: [N].
        features: [N, C], of length 1.
        count: how many to choose; if there are fewer images, all are chosen.
    """
    candidates = np.argsort(hardness)[::-1][: CANDIDATES * count]
    chosen = [int(candidates[0])]
    nearest = np.full(len(candidates), np.inf)
    while len(chosen) < min(count, len(candidates)):
        distance = np.linalg.norm(features[candidates] - features[chosen[-1]], axis=1)
        nearest = np.minimum(nearest, distance)
        # The small numbers keep the order defined where hardness or distance is 0.
        gain = (hardness[candidates] + 1e-9) * (nearest + 1e-6)
        gain[np.isin(candidates, chosen)] = -1
        chosen.append(int(candidates[gain.argmax()]))
    return chosen
