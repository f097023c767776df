"""The strong view of AugSeg: its pool, its ranges, and how many operations there are."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from fewmask.data.views import augseg, imas
from fewmask.data.views.augseg import OPERATIONS, augseg_strong_view


@pytest.fixture
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(20, 230, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC))


def test_there_are_eleven_operations_and_no_inversion():
    assert len(set(OPERATIONS)) == 11 and imas.invert not in OPERATIONS


@pytest.mark.parametrize(("u", "factor"), [(0, 0.95), (0.5, 0.5), (-0.5, 0.5), (1, 0.05)])
def test_factors_go_down_to_a_twentieth(image, u, factor):
    kinds = (
        ImageEnhance.Contrast, ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Sharpness
    )  # fmt: skip
    for operation, kind in zip(OPERATIONS[4:8], kinds, strict=True):
        expected = np.asarray(kind(Image.fromarray(image)).enhance(factor)).astype(int)
        assert np.abs(operation(image, u) - expected).max() <= 2, kind


def test_one_to_three_operations_are_equally_frequent(image, monkeypatch):
    done = []
    monkeypatch.setattr(augseg, "OPERATIONS", (lambda x, u: (done.append(u), x)[1],))
    counts, magnitudes = [], []
    for seed in range(600):
        done.clear()
        augseg_strong_view(image, np.random.default_rng(seed))
        counts.append(len(done))
        magnitudes += done
    numbers, often = np.unique(counts, return_counts=True)
    assert numbers.tolist() == [1, 2, 3] and often.min() > 160
    assert min(magnitudes) < -0.95 and max(magnitudes) > 0.95  # each has its own, of either sign
    assert len(set(magnitudes)) == len(magnitudes)


def test_every_operation_is_drawn(image, monkeypatch):
    seen = set()
    pool = tuple(lambda x, u, i=i: (seen.add(i), x)[1] for i in range(11))
    monkeypatch.setattr(augseg, "OPERATIONS", pool)
    for seed in range(200):
        augseg_strong_view(image, np.random.default_rng(seed))
    assert seen == set(range(11))
