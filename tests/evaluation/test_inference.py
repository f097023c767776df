"""Inference: whole images, windows, scales, mirrored."""

import pytest
import torch
from torch import nn

from fewmask.config import validate
from fewmask.errors import UserError
from fewmask.evaluation.inference import (
    InferenceConfig,
    eval_mode,
    predict_probs,
    window_starts,
)
from fewmask.models import Output
from tests.evaluation.networks import ByColor, Position


def test_windows_of_the_u2pl_family_are_shifted_back_at_the_border():
    assert window_starts(2048, 769, 513, "shift") == [0, 513, 1026, 1279]
    assert window_starts(1024, 769, 513, "shift") == [0, 255]
    assert window_starts(500, 769, 513, "shift") == [0]


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


def test_evaluation_leaves_every_part_in_its_mode():
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm2d(3).eval())
    with eval_mode(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, True, False]


@pytest.mark.parametrize(
    "asked",
    [
        {"mode": "sliding", "window": 769, "stride": 1},
        {"scales": [16.0] * 32},
        {"mode": "sliding", "window": 512, "stride": 64, "flip": True, "scales": [1.0, 2.0]},
    ],
)
def test_what_would_take_days_is_refused(asked):
    with pytest.raises(UserError, match="each pixel would be predicted [0-9,]+ times, and 256 is"):
        validate(InferenceConfig, asked)
    scales = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    InferenceConfig(mode="sliding", window=769, stride=513, flip=True, scales=scales)
