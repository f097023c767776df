"""Class numbers that were smoothed: rims of a class that is not there."""

import cv2
import numpy as np

from fewmask.data.checks.steps import count_steps
from tests.data.checks.photos import check, loaded, rewrite, said

NAMES = "data.names=[a, b, c]"


def test_a_step_is_one_pixel_between_two_labels():
    assert count_steps(np.array([[0, 0, 1, 2, 2]], np.uint8)) == (1, 0)
    assert count_steps(np.array([[0, 0, 2, 2, 0]], np.uint8)) == (0, 2)
    assert count_steps(np.array([[0, 1, 1, 2, 255]], np.uint8)) == (0, 0)
    assert count_steps(np.array([[3], [2], [0]], np.uint8)) == (1, 1)


def resized(mask, how):
    small = cv2.resize(2 * mask, (27, 20), interpolation=how)
    return cv2.resize(small, (40, 30), interpolation=how)


def test_masks_resized_with_smoothing_are_told(clean):
    rewrite(clean, lambda mask, i: resized(mask, cv2.INTER_LINEAR))
    assert "12 masks have rims, one pixel wide, of the classes between two" in said(clean, NAMES)
    assert any("rims, one pixel wide" in line for line in loaded(clean, NAMES)[1])


def test_others_are_not(clean):
    rewrite(clean, lambda mask, i: resized(mask, cv2.INTER_NEAREST))
    assert "rims" not in said(clean, NAMES)

    def nested(mask, i):
        mask = np.minimum(mask, 1)
        mask[8:16, 9:25] = 2  # within 1, which is wider than a pixel
        return mask

    rewrite(clean, nested)
    assert check(clean, "data.names=[a, b, c]").exit_code == 0
