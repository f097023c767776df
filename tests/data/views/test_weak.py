"""Weak views: geometry."""

import numpy as np
import pytest
from PIL import Image

from fewmask.data.views import weak

COLOR = (124, 116, 104)


@pytest.fixture
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(20, 230, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC))


def test_crop_and_mask_stay_aligned():
    """An image that is its own mask: both views must show the same thing, whatever is drawn."""
    mask = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20))).astype(np.uint8)
    image = np.repeat((mask * 20)[:, :, None], 3, axis=2)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        place = weak.draw_placement(rng, mask.shape, 33, weak.draw_scale(rng, (0.5, 2.0)))
        seen, labels = weak.weak_image(image, place, 33, COLOR), weak.weak_mask(mask, place, 33)
        valid = weak.valid_pixels(place, 33)
        assert seen.shape == (33, 33, 3) and labels.shape == (33, 33)
        assert ((labels != 255) == valid).all()
        agrees = np.abs(seen[..., 0].astype(int) - labels * 20.0)[valid] <= 10
        assert agrees.mean() > 0.85  # all but the smoothed edges between blocks


def test_without_scaling_a_crop_is_a_plain_crop(image):
    for seed in range(10):
        place = weak.draw_placement(np.random.default_rng(seed), image.shape[:2], 32, 1.0)
        cut = image[place.top : place.top + 32, place.left : place.left + 32]
        cut = cut[:, ::-1] if place.mirrored else cut
        assert np.array_equal(weak.weak_image(image, place, 32, COLOR), cut)


def test_padding_lies_at_the_bottom_and_the_right_in_the_given_color(image):
    place = weak.Placement(0, 0, 48, 64, 48, 64, mirrored=True)
    view = weak.weak_image(image, place, 80, COLOR)
    assert np.array_equal(view[:48, :64], image[:, ::-1])
    assert (view[48:] == COLOR).all() and (view[:, 64:] == COLOR).all()


def test_every_position_and_both_directions_are_drawn():
    places = [weak.draw_placement(np.random.default_rng(s), (40, 40), 38, 1.0) for s in range(99)]
    assert {p.top for p in places} == {0, 1, 2} and {p.mirrored for p in places} == {True, False}


def test_scales_are_drawn_as_each_paper_draws_them():
    rng = np.random.default_rng(0)
    drawn = {
        how: np.array([weak.draw_scale(rng, (0.5, 2.0), how) for _ in range(2000)])
        for how in ("uniform", "halves", "quarters")
    }
    assert all(0.5 <= d.min() < 0.51 and 1.98 < d.max() <= 2 for d in drawn.values())
    assert np.mean(drawn["uniform"] < 1) == pytest.approx(1 / 3, abs=0.04)
    assert np.mean(drawn["halves"] < 1) == pytest.approx(1 / 2, abs=0.04)
    assert np.unique(drawn["quarters"]).tolist() == [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
