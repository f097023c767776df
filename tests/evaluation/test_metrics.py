"""Confusion matrix and scores, checked by hand."""

import numpy as np
import pytest

from fewmask.evaluation.metrics import confusion_matrix, scores


def test_confusion_matrix_by_hand():
    truth = np.array([[0, 1, 1], [2, 255, 0]], np.uint8)
    prediction = np.array([[0, 1, 2], [2, 0, 1]])
    assert confusion_matrix(truth, prediction, 3).tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_confusion_matrix_agrees_with_a_loop():
    rng = np.random.default_rng(0)
    truth = rng.choice([0, 1, 2, 3, 255], (31, 17)).astype(np.uint8)
    prediction = rng.integers(0, 4, (31, 17))
    expected = np.zeros((4, 4), int)
    for t, p in zip(truth.ravel(), prediction.ravel(), strict=True):
        if t != 255:
            expected[t, p] += 1
    assert np.array_equal(confusion_matrix(truth, prediction, 4), expected)


def test_absent_classes_are_left_out_or_count_as_zero():
    confusion = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    left_out, zero = scores(confusion), scores(confusion, "zero")
    assert left_out.iou[:2] == pytest.approx((75.0, 80.0)) and np.isnan(left_out.iou[2])
    assert left_out.miou == pytest.approx(77.5) and zero.miou == pytest.approx(155 / 3)
    assert left_out.pixel_accuracy == pytest.approx(87.5)


def test_nothing_labeled_gives_nan_instead_of_a_crash():
    assert np.isnan(scores(np.zeros((3, 3), int)).miou)
