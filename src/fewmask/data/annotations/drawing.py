"""Draws annotations as masks.

Shapes are drawn in the order of the file, later ones over earlier ones. Pixels outside all shapes
are class 0, the background.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from fewmask.data.annotations.annotation import Annotation


def draw_mask(one: Annotation, classes: Sequence[str]) -> np.ndarray:
    """The labels of one image, uint8 [H, W]."""
    labels = np.zeros((one.height, one.width), np.uint8)
    for shape in one.shapes:
        label = classes.index(shape.name)
        if shape.pixels is None:
            cv2.fillPoly(labels, [np.rint(shape.outline).astype(np.int32)], label)
            continue
        left, top = shape.corner
        height, width = shape.pixels.shape
        box = labels[top : top + height, left : left + width]
        # Pixels may reach beyond the image, where the box ends.
        box[shape.pixels[: box.shape[0], : box.shape[1]]] = label
    return labels
