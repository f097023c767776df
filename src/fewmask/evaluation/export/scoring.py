"""What a smaller form of a network costs and gains: mIoU, size and time beside the original's."""

import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import nn

from fewmask.data import Dataset
from fewmask.evaluation.evaluator import evaluate
from fewmask.evaluation.inference import network_input
from fewmask.evaluation.protocols import EvaluationConfig

REPEATS = 5


class Score(NamedTuple):
    """What one form of a network is worth."""

    name: str
    miou: float  # on val, in percent; NaN if unknown
    megabytes: float
    milliseconds: float  # per image, on this machine


def score(
    name: str, network: nn.Module, file: Path, val: Dataset | None, config: EvaluationConfig,
    num_classes: int, image: np.ndarray,
) -> Score:  # fmt: skip
    """Scores one form of a network.

    Args:
        name: of the form.
        network: gives an `Output`; on the CPU.
        file: that holds it.
        val: images with masks, if there are any.
        config: how they are scored.
        num_classes: K.
        image: uint8 [H, W, C], to take the time of.
    """
    miou = evaluate(network, val, num_classes, config).miou if val is not None else float("nan")
    return Score(name, miou, file.stat().st_size / 1e6, _milliseconds(network, image))


@torch.no_grad()
def _milliseconds(network: nn.Module, image: np.ndarray) -> float:
    """The time from an image to its logits, the median of a few."""
    seen, times = network_input(network, image[None], "cpu"), []
    for _ in range(REPEATS):
        started = time.perf_counter()
        _ = network(seen).upsampled_logits
        times.append(time.perf_counter() - started)
    return 1000 * float(np.median(times))


def made_up_image(channels: int) -> np.ndarray:
    """Soft patches of color with a grain, uint8 [240, 320, channels], for want of a real image."""
    rng = np.random.default_rng(0)
    image = np.empty((240, 320, channels), np.uint8)
    for band in range(channels):
        patches = cv2.resize(rng.random((6, 8)), (320, 240), interpolation=cv2.INTER_CUBIC)
        image[..., band] = (255 * patches + rng.normal(0, 8, patches.shape)).clip(0, 255)
    return image
