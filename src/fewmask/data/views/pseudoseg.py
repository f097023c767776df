"""The strong view of PseudoSeg: brightness, contrast, saturation and hue in random order."""

import cv2
import numpy as np

cv2.setNumThreads(0)  # the loader's workers are the parallelism


def pseudoseg_strong_view(
    image: np.ndarray, rng: np.random.Generator, amount: float = 1.0
) -> np.ndarray:
    """Four color jitters in random order, each clipped, as TensorFlow computes them.

    They are brightness + U(-0.5, 0.5), contrast and saturation x U(0.5, 1.5), and hue
    + U(-0.25, 0.25) of a turn. The CutOut of the paper is part of the method.

    Source: Zou et al., PseudoSeg, ICLR 2021, and its released settings.

    Args:
        image: uint8 [H, W, 3]. It is not changed.
        rng: the source of randomness.
        amount: scales all four ranges, from 0 (no change) to 2.
    """
    half, quarter = 0.5 * amount, 0.25 * amount
    jitters = (
        (add_brightness, rng.uniform(-half, half)),
        (scale_contrast, rng.uniform(1 - half, 1 + half)),
        (scale_saturation, rng.uniform(1 - half, 1 + half)),
        (turn_hue, rng.uniform(-quarter, quarter)),
    )
    x = image.astype(np.float32) / 255
    for i in rng.permutation(len(jitters)):
        jitter, amount = jitters[i]
        x = np.clip(jitter(x, amount), 0, 1)
    return np.asarray(x * 255 + 0.5, np.uint8)


def add_brightness(x: np.ndarray, amount: float) -> np.ndarray:
    """Adds to all channels. Here and below, x is float32 [H, W, 3] in [0, 1]."""
    return x + np.float32(amount)


def scale_contrast(x: np.ndarray, factor: float) -> np.ndarray:
    """Stretches each channel about its mean."""
    mean = x.mean(axis=(0, 1))
    return np.asarray((x - mean) * np.float32(factor) + mean)


def scale_saturation(x: np.ndarray, factor: float) -> np.ndarray:
    """Multiplies S of HSV, at most to 1."""
    hue, saturation, value = cv2.split(cv2.cvtColor(x, cv2.COLOR_RGB2HSV))
    saturation = np.minimum(saturation * np.float32(factor), 1)
    return cv2.cvtColor(cv2.merge([hue, saturation, value]), cv2.COLOR_HSV2RGB)


def turn_hue(x: np.ndarray, turn: float) -> np.ndarray:
    """Shifts H of HSV by a fraction of the whole circle."""
    hsv = cv2.cvtColor(x, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0] + np.float32(360 * turn)) % 360
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
