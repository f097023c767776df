"""From a network to numbers: inference, confusion matrix, scores."""

import numpy as np
import pytest
import torch
from torch import nn

import fewmask.evaluation.predictor
from fewmask.data import Classes
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig, evaluate
from fewmask.evaluation.evaluator import center_crop
from fewmask.evaluation.inference import (
    InferenceConfig,
    eval_mode,
    predict_probs,
    window_starts,
)
from fewmask.evaluation.metrics import confusion_matrix, scores
from fewmask.evaluation.predictor import Predictor
from fewmask.models import Output


class ByColor(nn.Module):
    """Logits that depend on each pixel alone: the image's channels."""

    def forward(self, image):
        return Output(5 * image, image, None)


class Samples:
    """Two images that ByColor labels right, but for what the test spoils."""

    names = ("a", "b")

    def __len__(self):
        return 2

    def mask(self, index):
        return np.array([[0, 1, 2, 255], [1, 1, 0, 2]], np.uint8)

    def image(self, index):
        image = np.zeros((2, 4, 3), np.uint8)
        for c in range(3):
            image[..., c][self.mask(index) == c] = 255
        if index == 1:
            image[0, 0] = (0, 0, 255)
        return image


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


def test_every_image_is_counted_once():
    found = evaluate(ByColor(), Samples(), 3, EvaluationConfig())
    assert found.confusion.sum() == 14
    assert found.confusion.tolist() == [[3, 0, 1], [0, 6, 0], [0, 0, 4]]


def test_scores_are_taken_at_the_size_of_the_mask():
    class Small(Samples):
        def image(self, index):
            return np.repeat(np.repeat(super().image(0), 3, 0), 3, 1)

    assert evaluate(ByColor(), Small(), 3, EvaluationConfig()).confusion.sum() == 14


def test_windows_of_the_u2pl_family_are_shifted_back_at_the_border():
    assert window_starts(2048, 769, 513, "shift") == [0, 513, 1026, 1279]
    assert window_starts(1024, 769, 513, "shift") == [0, 255]
    assert window_starts(500, 769, 513, "shift") == [0]


class Position(nn.Module):
    """Logits that depend on where a pixel lies in its window: windows that overlap disagree."""

    def forward(self, image):
        rows = torch.arange(image.shape[-2], dtype=torch.float).view(1, 1, -1, 1)
        return Output(torch.cat([rows + 0 * image[:, :1], 2 + 0 * image[:, :1]], 1), image, None)


def test_windows_average_probabilities_or_logits():
    image = torch.zeros(1, 3, 6, 4)
    config = InferenceConfig(mode="sliding", window=4, stride=2)
    rows = torch.arange(4.0)
    probs = torch.stack([rows, torch.full((4,), 2.0)], 1).softmax(1)[:, 0]  # of one window, by row
    found = predict_probs(Position(), image, config)[0, 0, :, 0]
    # Windows start at 0 and 2; row 2 is row 2 of the first and row 0 of the second.
    assert found[2] == pytest.approx(float(probs[2] + probs[0]) / 2)
    assert found[1] == pytest.approx(float(probs[1]))
    logits = config.model_copy(update={"average": "logits"})
    found = predict_probs(Position(), image, logits)[0, 0, :, 0]
    assert found[2] == pytest.approx(float(torch.tensor([1.0, 2.0]).softmax(0)[0]))


@pytest.mark.parametrize("average", ["logits", "probs"])
def test_several_images_in_windows_equal_one_by_one(average):
    images = torch.randn(3, 3, 6, 5)
    config = InferenceConfig(mode="sliding", window=4, stride=3, average=average)
    together = predict_probs(Position(), images, config)
    alone = [predict_probs(Position(), image[None], config) for image in images]
    torch.testing.assert_close(together, torch.cat(alone))


def test_a_padded_image_comes_back_at_its_size():
    class Size(nn.Module):
        def forward(self, image):
            self.seen = tuple(image.shape[-2:])
            return Output(image[:, :2], image, None)

    network, image = Size(), torch.randn(1, 3, 5, 7)
    padded = predict_probs(network, image, InferenceConfig(pad_to=9))
    assert network.seen == (9, 9) and padded.shape == (1, 2, 5, 7)
    assert torch.allclose(padded, predict_probs(network, image, InferenceConfig()))


def test_a_center_crop_is_scored_alone():
    image, truth = np.zeros((10, 6, 3), np.uint8), np.arange(60, dtype=np.uint8).reshape(10, 6)
    middle, labels = center_crop(image, truth, 4)
    assert middle.shape == (4, 4, 3) and np.array_equal(labels, truth[3:7, 1:5])
    with pytest.raises(UserError, match="long_side"):
        center_crop(image[:5], truth, 4)


@pytest.mark.parametrize(
    ("length", "window", "expected"),
    [(1024, 769, [0, 512]), (2048, 769, [0, 512, 1024, 1536]), (500, 769, [0]), (769, 769, [0])],
)
def test_window_starts_of_the_papers(length, window, expected):
    assert window_starts(length, window, 512) == expected


@pytest.mark.parametrize(
    "config",
    [
        InferenceConfig(mode="sliding", window=7, stride=4),
        InferenceConfig(flip=True),
        InferenceConfig(mode="sliding", window=9, stride=5, flip=True),
        InferenceConfig(scales=(1.0, 1.0)),
    ],
)
def test_other_modes_agree_with_whole_for_a_network_that_sees_single_pixels(config):
    image = torch.randn(1, 3, 20, 13)
    expected = predict_probs(ByColor(), image, InferenceConfig())
    torch.testing.assert_close(predict_probs(ByColor(), image, config), expected)


def test_scales_are_averaged_and_sum_to_one():
    probs = predict_probs(
        ByColor(), torch.randn(1, 3, 20, 13), InferenceConfig(scales=(0.5, 1.0, 1.5))
    )
    assert probs.shape == (1, 3, 20, 13)
    torch.testing.assert_close(probs.sum(1), torch.ones(1, 20, 13))


class ShortOfMemory(ByColor):
    """Takes two images, not more."""

    def forward(self, image):
        self.seen = [*getattr(self, "seen", []), len(image)]
        if len(image) > 2:
            raise torch.OutOfMemoryError("too many")
        return super().forward(image)


def test_as_many_images_at_once_as_fit_and_the_same_result():
    images = [np.random.default_rng(i).integers(0, 256, (20, 13, 3), np.uint8) for i in range(5)]
    network = ShortOfMemory()
    predictor = Predictor(network, Classes("abc"), InferenceConfig(), None, "cpu")
    alone = [predictor.predict(image) for image in images]
    assert network.seen == [1] * 5
    predictor.pixels_at_once = 4 * 20 * 13
    together = predictor.predict_many(images)
    assert network.seen[5:] == [4, 2, 2, 1]
    for a, b in zip(alone, together, strict=True):
        assert (a.mask == b.mask).all() and np.allclose(a.confidence, b.confidence)


def test_tiles_of_a_huge_image_fit_together(monkeypatch):
    monkeypatch.setattr(fewmask.evaluation.predictor, "TILE", 16)
    monkeypatch.setattr(fewmask.evaluation.predictor, "MARGIN", 4)
    image = np.random.default_rng(0).integers(0, 256, (53, 41, 3), np.uint8)
    network = ShortOfMemory()
    whole = Predictor(network, Classes("abc"), InferenceConfig(), 53, "cpu").predict(image)
    assert network.seen == [1]
    tiled = Predictor(network, Classes("abc"), InferenceConfig(), None, "cpu").predict(image)
    assert len(network.seen) == 1 + 4 * 3
    assert (tiled.mask == whole.mask).all() and np.allclose(tiled.confidence, whole.confidence)


def test_evaluation_leaves_every_part_in_its_mode():
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm2d(3).eval())
    with eval_mode(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, True, False]
