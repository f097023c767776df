"""The jitter of PseudoSeg: golden numbers are TensorFlow's."""

import numpy as np
import pytest

from fewmask.data.views.pseudoseg import (
    add_brightness,
    pseudoseg_strong_view,
    scale_contrast,
    scale_saturation,
    turn_hue,
)

PIXEL = np.array([[[0.8, 0.4, 0.2]]], np.float32)


PAIR = np.array([[[0.8, 0.4, 0.2], [0.2, 0.0, 0.6]]], np.float32)


@pytest.mark.parametrize(
    ("jitter", "amount", "expected"),
    [
        (add_brightness, 0.3, (1, 0.7, 0.5)),
        (scale_saturation, 0.5, (0.8, 0.6, 0.5)),
        (scale_saturation, 1.5, (0.8, 0.266667, 0)),
        (turn_hue, 0.25, (0.3, 0.8, 0.2)),
        (turn_hue, -0.25, (0.7, 0.2, 0.8)),
    ],
)
def test_jitter_of_one_pixel(jitter, amount, expected):
    np.testing.assert_allclose(jitter(PIXEL, amount).clip(0, 1)[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("factor", "first", "second"),
    [
        (1.5, (0.95, 0.5, 0.1), (0.05, 0, 0.7)),
        (0.5, (0.65, 0.3, 0.3), (0.35, 0.1, 0.5)),
    ],
)
def test_contrast_is_about_each_channels_mean(factor, first, second):
    found = scale_contrast(PAIR, factor).clip(0, 1)[0]
    np.testing.assert_allclose(found, (first, second), atol=1e-5)


def test_the_strength_of_the_jitter():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    views = [pseudoseg_strong_view(image, np.random.default_rng(1), a) for a in (0, 0.2, 1)]
    moved = [np.abs(view.astype(int) - image).mean() for view in views]
    assert moved[0] < 0.01 and moved[0] < moved[1] < moved[2]
    assert (views[2] == pseudoseg_strong_view(image, np.random.default_rng(1))).all()
