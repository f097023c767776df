"""Facts about the regions in a mask: one for each object, or steps of a smoothed edge."""

import cv2
import numpy as np

MANY_OBJECTS = 64
"""In masks with more values than this, nobody looks for numbered objects: it takes long."""
FEW_GRAYS = 8
"""A mask with fewer values was not smoothed."""

STEPS = 0.7
"""This share of the pixels of an edge differs from a neighbor; of a region, those at its border."""


def has_numbered_objects(mask: np.ndarray) -> bool:
    """Whether the numbers above 0 count objects: 1, 2, 3 ..., each one connected region.

    Args:
        mask: integers [H, W].
    """
    objects = np.unique(mask[mask > 0])
    if not 1 <= len(objects) <= MANY_OBJECTS or objects.tolist() != [*range(1, len(objects) + 1)]:
        return False
    # Regions of equal values: labels change where a neighbor differs.
    return all(
        cv2.connectedComponents((mask == value).astype(np.uint8))[0] == 2 for value in objects
    )


def is_smoothed(mask: np.ndarray) -> bool:
    """Whether most values between the lowest and the highest are steps, narrower than any region.

    Args:
        mask: integers [H, W].
    """
    values = np.unique(mask)
    if len(values) < FEW_GRAYS:
        return False
    inner = mask[:-1, :-1]
    between = (inner > values[0]) & (inner < values[-1])
    steps = between & ((inner != mask[:-1, 1:]) | (inner != mask[1:, :-1]))
    has_ground = 20 * (inner == values[0]).sum() > inner.size
    return bool(has_ground and steps.sum() > STEPS * between.sum() > 0)
