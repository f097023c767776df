"""The strong view of UniMatch: how often it does what, and by how much."""

import numpy as np
import pytest

from fewmask.data.views import colors, unimatch
from fewmask.data.views.unimatch import color_jitter, unimatch_strong_view

IMAGE = np.random.default_rng(0).integers(60, 190, (8, 8, 3)).astype(np.uint8)


@pytest.fixture
def calls(monkeypatch) -> list[tuple[str, float]]:
    """The changes that are made, by name, and by how much."""
    made = []
    for name in ("scale_brightness", "scale_contrast", "scale_saturation", "shift_hue", "gray"):
        monkeypatch.setattr(
            colors, name, lambda image, by=0.0, name=name: (made.append((name, by)), image)[1]
        )
    monkeypatch.setattr(
        colors, "gaussian_blur", lambda image, by: (made.append(("blur", by)), image)[1]
    )
    return made


def test_each_change_has_its_probability(calls):
    rng = np.random.default_rng(1)
    for _ in range(4000):
        unimatch_strong_view(IMAGE, rng)
    names = [name for name, _ in calls]
    shares = {name: names.count(name) / 4000 for name in set(names)}
    assert shares.pop("gray") == pytest.approx(0.2, abs=0.03)
    assert shares.pop("blur") == pytest.approx(0.5, abs=0.03)
    assert len(shares) == 4 and set(shares.values()) == {shares["shift_hue"]}  # all or none
    assert shares["shift_hue"] == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("scale_brightness", 0.5, 1.5),
        ("scale_contrast", 0.5, 1.5),
        ("scale_saturation", 0.5, 1.5),
        ("shift_hue", -63, 63),
        ("blur", 0.1, 2),
    ],
)
def test_amounts_are_uniform(calls, name, low, high):
    rng = np.random.default_rng(2)
    for _ in range(4000):
        unimatch_strong_view(IMAGE, rng)
    amounts = [by for called, by in calls if called == name]
    assert low <= min(amounts) and max(amounts) <= high
    quarters = np.quantile(amounts, (0.25, 0.5, 0.75))
    expected = low + (high - low) * np.array((0.25, 0.5, 0.75))
    assert np.abs(quarters - expected).max() < 0.04 * (high - low)


def test_the_order_of_the_jitter_is_random(calls):
    rng = np.random.default_rng(3)
    for _ in range(400):
        color_jitter(IMAGE, rng)
    names = [name for name, _ in calls]
    assert len({tuple(names[i : i + 4]) for i in range(0, 1600, 4)}) == 24


def test_the_view_is_another_image_and_the_weak_one_stays():
    weak, rng = IMAGE.copy(), np.random.default_rng(4)
    views = [unimatch_strong_view(weak, rng) for _ in range(20)]
    assert np.array_equal(weak, IMAGE)
    assert all(view.shape == IMAGE.shape and view.dtype == np.uint8 for view in views)
    assert sum(not np.array_equal(view, IMAGE) for view in views) > 10


def test_a_gray_view_has_three_equal_channels(monkeypatch):
    monkeypatch.setattr(unimatch, "GRAY", 1)
    view = unimatch_strong_view(IMAGE, np.random.default_rng(5))
    assert np.array_equal(view[..., 0], view[..., 1]) and np.array_equal(view[..., 0], view[..., 2])
