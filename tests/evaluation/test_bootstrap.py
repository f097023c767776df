"""Paired bootstrap over images."""

import numpy as np
import pytest

from fewmask.evaluation.bootstrap import paired_difference


def counts(hits):
    """One seed, images x classes, each class 100 pixels in union."""
    hits = np.asarray(hits)
    full = np.full_like(hits, 100)
    return np.stack([hits, full, full])[None]


def test_value_is_the_plain_difference_of_miou():
    ours, theirs = counts([[50, 70], [60, 80]]), counts([[40, 60], [50, 80]])
    gain = paired_difference(ours, theirs)
    assert gain.value == pytest.approx((55 + 75) / 2 - (45 + 70) / 2)
    assert gain.low <= gain.value <= gain.high


def test_a_gain_on_every_image_is_certain_and_noise_is_not():
    rng = np.random.default_rng(0)
    base = rng.integers(20, 60, (40, 3))
    sure = paired_difference(counts(base + 5), counts(base))
    assert sure.low == pytest.approx(5) and sure.high == pytest.approx(5)
    noise = paired_difference(counts(base + rng.permuted(np.tile([-9, 9], 60)).reshape(40, 3)),
                              counts(base))  # fmt: skip
    assert noise.low < 0 < noise.high


def test_the_interval_narrows_with_more_images():
    rng = np.random.default_rng(1)

    def width(images):
        base = rng.integers(20, 60, (images, 2))
        gain = paired_difference(counts(base + rng.integers(-8, 14, (images, 2))), counts(base))
        return gain.high - gain.low

    assert width(400) < width(16) / 2


def test_seeds_are_averaged_and_absent_classes_left_out():
    two = np.concatenate([counts([[50, 0]]), counts([[70, 0]])])
    two[:, :, :, 1] = 0  # class 1 is nowhere
    one = counts([[40, 0]])
    one[:, :, :, 1] = 0
    gain = paired_difference(two, one)
    assert gain.value == pytest.approx(20)
    # One image leaves only the seeds: 14.1 * sqrt(1/2 + 1/1) times 12.7, the 97.5 % point of t(1).
    assert (gain.low, gain.high) == pytest.approx((20 - 220, 20 + 220), rel=0.1)


@pytest.mark.parametrize(("seeds", "t"), [(2, 4.303), (3, 2.776)])
def test_few_seeds_leave_a_wide_interval(seeds, t):
    """Two means over scores that scatter by 2: Student's t with 2 or 4 degrees of freedom."""
    scores = {2: (-1.4142, 1.4142), 3: (-2, 0, 2)}[seeds]
    runs = np.concatenate([1000 * counts([[50, 50]]) for _ in scores])
    runs[:, 0] = runs[:, 0] + 1000 * np.reshape(scores, (-1, 1, 1))
    gain = paired_difference(runs, runs)
    half = t * 2 * np.sqrt(2 / seeds)
    assert (gain.low, gain.high) == pytest.approx((-half, half), rel=0.05)


def test_one_seed_leaves_the_images_alone():
    """The interval of one seed is the plain percentile interval over resampled images."""
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(20, 60, (2, 40, 1))
    gain = paired_difference(counts(ours), counts(theirs))
    drawn = (ours - theirs)[:, 0][rng.integers(40, size=(20_000, 40))].mean(axis=1)
    assert (gain.low, gain.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.3)


def test_a_class_counts_for_both_methods_or_for_none():
    """B takes one pixel of each image for a class that only the first image shows."""
    hits, union = np.full((6, 2), 90), np.full((6, 2), 100)
    truth = np.full((6, 2), 100)
    hits[1:, 1] = truth[1:, 1] = 0
    union_a, union_b = union.copy(), union.copy()
    union_a[1:, 1], union_b[1:, 1] = 0, 1
    ours, theirs = np.stack([hits, union_a, truth])[None], np.stack([hits, union_b, truth])[None]
    gain = paired_difference(ours, theirs)
    assert 0 < gain.value < 3 and gain.high < 5
