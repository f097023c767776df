"""Color changes agree with Pillow's, also where they exaggerate."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from fewmask.data.views import colors


@pytest.fixture
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(20, 230, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("factor", [0.5, 0.8, 1, 1.2, 1.5])
@pytest.mark.parametrize(
    ("change", "pillow"),
    [
        (colors.scale_brightness, ImageEnhance.Brightness),
        (colors.scale_contrast, ImageEnhance.Contrast),
        (colors.scale_saturation, ImageEnhance.Color),
    ],
)
def test_a_factor_means_the_same_as_in_pillow(image, change, pillow, factor):
    ours = change(image, factor).astype(int)
    theirs = np.asarray(pillow(Image.fromarray(image)).enhance(factor))
    assert np.abs(ours - theirs).max() <= 1
    assert (factor == 1) == np.array_equal(ours, image)


def test_formulas_on_two_pixels():
    pair = np.array([[[200, 100, 50], [40, 0, 160]]], np.uint8)  # gray: 124 and 30, mean 77
    assert colors.gray(pair).tolist() == [[[124] * 3, [30] * 3]]
    assert colors.scale_brightness(pair, 1.5).tolist() == [[[255, 150, 75], [60, 0, 240]]]
    assert colors.scale_contrast(pair, 0.5).tolist() == [[[138, 88, 64], [58, 38, 118]]]
    assert colors.scale_saturation(pair, 1.5).tolist() == [[[238, 88, 13], [45, 0, 225]]]


def test_the_hue_turns_as_in_pillow(image):
    for steps in (-63, -20, 20, 63):
        hsv = np.array(Image.fromarray(image).convert("HSV"))
        hsv[..., 0] += np.uint8(steps % 256)
        theirs = np.asarray(Image.fromarray(hsv, "HSV").convert("RGB")).astype(int)
        # Both keep the hue in 8 bits and round it their own way: one step is 6 gray values.
        difference = np.abs(colors.shift_hue(image, steps) - theirs)
        assert difference.max() <= 12 and difference.mean() < 2


def test_a_turn_of_a_third_exchanges_the_channels():
    red = np.full((2, 2, 3), (200, 0, 0), np.uint8)
    turned = colors.shift_hue(red, 85)[0, 0].astype(int)
    assert np.abs(turned - (0, 200, 0)).max() <= 6


@pytest.mark.parametrize("deviation", [0.5, 1, 2])
def test_blur_is_near_the_box_blurs_of_pillow(image, deviation):
    ours = colors.gaussian_blur(image, deviation).astype(int)
    theirs = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(deviation)))
    assert np.abs(ours - theirs).max() <= 6
