"""Facts about regions: numbers of objects, and steps of smoothed edges."""

import cv2
import numpy as np
import pytest

from fewmask.data.checks.regions import has_numbered_objects, is_smoothed


def objects(count, size=6):
    mask = np.zeros((40, 100), np.uint8)
    for k in range(count):
        mask[5 : 5 + size, 10 * k : 10 * k + size] = k + 1
    return mask


@pytest.mark.parametrize("count", [1, 2, 9])
def test_each_number_is_one_region(count):
    assert has_numbered_objects(objects(count))
    assert not has_numbered_objects(objects(count) * 2)  # 2, 4, 6
    assert not has_numbered_objects(np.tile(objects(count), (2, 1)))  # two regions each
    assert not has_numbered_objects(objects(0))


def test_values_between_are_steps_if_edges_were_smoothed():
    mask = np.zeros((60, 80), np.uint8)
    cv2.circle(mask, (40, 30), 18, 255, -1)
    assert is_smoothed(cv2.GaussianBlur(mask, (0, 0), 3))
    assert is_smoothed(cv2.resize(cv2.resize(mask, (40, 30)), (80, 60)))
    assert not is_smoothed(mask)
    assert not is_smoothed(objects(9)) and not is_smoothed(objects(9) * 25)


def test_rows_of_single_numbers_are_no_smoothed_edges():
    assert not is_smoothed(np.arange(600).reshape(20, 30))
