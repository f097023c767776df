"""The strong view of iMAS: its operations agree with Pillow's."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from fewmask.data.views import imas


@pytest.fixture
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(20, 230, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC))


def test_magnitudes_at_one_half():
    assert imas.enhance_factor(0.5) == pytest.approx(0.525425)
    assert imas.blur_radius(0.5) == pytest.approx(1.049050)
    assert imas.posterize_bits(0.5) == 6 and imas.solarize_threshold(0.5) == 128
    assert imas.hue_shift(0.5) == 63 and imas.hue_shift(-0.5) == -63


@pytest.mark.parametrize(
    ("u", "bits"), [(0, 7), (0.25, 7), (0.26, 6), (0.5, 6), (0.51, 5), (0.76, 4), (1, 4)]
)
def test_posterize_bits(u, bits):
    assert imas.posterize_bits(u) == bits


def pil(operation: str, image: np.ndarray, u: float) -> np.ndarray:
    """The same operation done with Pillow, as the papers' codes do."""
    picture, factor = Image.fromarray(image), imas.enhance_factor(u)
    done = {
        "autocontrast": lambda: ImageOps.autocontrast(picture),
        "equalize": lambda: ImageOps.equalize(picture),
        "invert": lambda: ImageOps.invert(picture),
        "contrast": lambda: ImageEnhance.Contrast(picture).enhance(factor),
        "brightness": lambda: ImageEnhance.Brightness(picture).enhance(factor),
        "saturation": lambda: ImageEnhance.Color(picture).enhance(factor),
        "sharpness": lambda: ImageEnhance.Sharpness(picture).enhance(factor),
        "posterize": lambda: ImageOps.posterize(picture, imas.posterize_bits(u)),
        "solarize": lambda: ImageOps.solarize(picture, imas.solarize_threshold(u)),
        "blur": lambda: picture.filter(ImageFilter.GaussianBlur(imas.blur_radius(u))),
    }[operation]
    return np.asarray(done())


@pytest.mark.parametrize(
    ("operation", "tolerance"),
    [
        ("autocontrast", 1), ("equalize", 0), ("invert", 0), ("contrast", 2), ("brightness",
        1), ("saturation", 2), ("sharpness", 2), ("posterize", 0), ("solarize", 0), ("blur",
        6),
    ],
)  # fmt: skip
def test_operations_agree_with_pillow(image, operation, tolerance):
    for u in (0.1, 0.5, 0.9):
        ours = getattr(imas, operation)(image, u).astype(int)
        assert np.abs(ours - pil(operation, image, u)).max() <= tolerance


def test_hue_turns_round_the_circle():
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    turned = imas.hue(red, 1.0)  # half a turn: cyan
    assert turned[0, 0, 0] < 20 and turned[0, 0, 1:].min() > 235
    assert np.abs(imas.hue(imas.hue(red, 0.4), -0.4).astype(int) - red).max() <= 12


def test_the_strong_view_leaves_the_weak_one_alone_and_repeats_with_the_seed(image):
    before = image.copy()
    first = [imas.imas_strong_view(image, np.random.default_rng(s)) for s in range(40)]
    again = [imas.imas_strong_view(image, np.random.default_rng(s)) for s in range(40)]
    assert np.array_equal(image, before)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(view.shape == image.shape and view.dtype == np.uint8 for view in first)
    assert len({view.tobytes() for view in first}) > 30


def test_the_number_of_operations_can_be_chosen(image, monkeypatch):
    done = []
    monkeypatch.setattr(imas, "OPERATIONS", (lambda x, u: (done.append(u), x)[1],))
    for amount in (0, 1, 2, 5):
        done.clear()
        imas.imas_strong_view(image, np.random.default_rng(0), amount)
        assert len(done) == amount
    done.clear()
    imas.imas_strong_view(image, np.random.default_rng(0))
    assert len(done) == 2
