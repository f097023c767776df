"""Color changes that strong views share, on images uint8 [H, W, 3]; they agree with Pillow's.

Source: Pillow's ImageEnhance, which torchvision's ColorJitter uses on photos.
"""

from collections.abc import Callable

import cv2
import numpy as np

cv2.setNumThreads(0)  # the loader's workers are the parallelism

Change = Callable[[np.ndarray, float], np.ndarray]
"""Changes an image by a factor; 1 leaves it as it is."""


def gray(image: np.ndarray) -> np.ndarray:
    """The image in gray, still with three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def scale_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blends with black: factor x image."""
    return blend(np.zeros_like(image), image, factor)


def scale_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Blends with the mean gray: factor x image + (1 - factor) x mean."""
    mean = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()
    return blend(np.full_like(image, int(mean + 0.5)), image, factor)


def scale_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Blends with the gray image: factor x image + (1 - factor) x gray."""
    return blend(gray(image), image, factor)


def sharpen(image: np.ndarray, factor: float) -> np.ndarray:
    """Blends with a smoothed image: factor x image + (1 - factor) x smooth."""
    # The border has no full neighborhood. Pillow leaves it as it is.
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=np.float32) / 13  # Pillow's SMOOTH
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel)[1:-1, 1:-1]
    return blend(smooth, image, factor)


def shift_hue(image: np.ndarray, steps: int) -> np.ndarray:
    """Shifts the hue on a circle of 256 steps."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    hsv[:, :, 0] += np.uint8(steps % 256)  # uint8 wraps around, as the hue circle does
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def blend(degenerate: np.ndarray, image: np.ndarray, factor: float) -> np.ndarray:
    """Factor 1 gives the image, 0 the degenerate one, and more exaggerates; clipped to 0..255."""
    return cv2.addWeighted(image, factor, degenerate, 1 - factor, 0)


def gaussian_blur(image: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian blur with a standard deviation in pixels; Pillow approximates it by box blurs."""
    return cv2.GaussianBlur(image, (0, 0), deviation)
