"""From a network to scores."""

import numpy as np
import pytest

from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig, evaluate
from fewmask.evaluation.evaluator import center_crop
from tests.evaluation.networks import ByColor, Samples


def test_every_image_is_counted_once():
    found = evaluate(ByColor(), Samples(), 3, EvaluationConfig())
    assert found.confusion.sum() == 14
    assert found.confusion.tolist() == [[3, 0, 1], [0, 6, 0], [0, 0, 4]]


def test_scores_are_taken_at_the_size_of_the_mask():
    class Small(Samples):
        def image(self, index):
            return np.repeat(np.repeat(super().image(0), 3, 0), 3, 1)

    assert evaluate(ByColor(), Small(), 3, EvaluationConfig()).confusion.sum() == 14


def test_a_center_crop_is_scored_alone():
    image, truth = np.zeros((10, 6, 3), np.uint8), np.arange(60, dtype=np.uint8).reshape(10, 6)
    middle, labels = center_crop(image, truth, 4)
    assert middle.shape == (4, 4, 3) and np.array_equal(labels, truth[3:7, 1:5])
    with pytest.raises(UserError, match="long_side"):
        center_crop(image[:5], truth, 4)


def test_a_class_in_no_image_is_left_out_or_counts_as_zero():
    def miou(**options):
        return evaluate(ByColor(), Samples(), 4, EvaluationConfig(**options)).miou

    assert miou() == miou(absent_class="leave_out") > 0
    assert miou(absent_class="zero") == pytest.approx(miou() * 3 / 4)


def test_whoever_tracks_an_evaluation_is_asked_for_each_image():
    asked = []

    def track(indices):
        for index in indices:
            asked.append(index)
            yield index

    found = evaluate(ByColor(), Samples(), 3, EvaluationConfig(), "cpu", track)
    assert asked == [0, 1] and found.confusion.sum() == 14


def test_each_image_is_counted_alone():
    found = evaluate(ByColor(), Samples(), 3, EvaluationConfig())
    hits, unions, truths = found.images.sum(axis=1)
    assert found.images.shape == (3, len(Samples()), 3)
    assert hits.tolist() == [3, 6, 4] and unions.tolist() == [4, 6, 5]
    assert truths.tolist() == found.confusion.sum(axis=1).tolist()
