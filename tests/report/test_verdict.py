"""The verdict of a comparison says no more than its runs can show."""

from dataclasses import replace

import numpy as np
import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.report.comparison import Comparison
from fewmask.report.verdict import verdict
from tests.report.rows import row

FLAT = [(100, 30.0), (200, 40.0), (300, 45.0), (400, 45.5)]
RISING = [(100, 30.0), (200, 40.0), (300, 45.0), (400, 46.5)]
FALLING = [(100, 30.0), (200, 47.0), (300, 45.0), (400, 46.5)]
SHORT = [(60, 30.0), (120, 30.1)]


@pytest.fixture(scope="module")
def data():
    return recipe_from_words(["synthetic", "data.val=30"]).source().open()


@pytest.fixture(scope="module")
def base(data):
    return np.full((30, len(data.classes)), 40)


def said(data, base, *ours, curve=FLAT, baseline_curve=FLAT):
    """The verdict on method `a`, given the IoU of each of its seeds, against a baseline of 40."""
    rows = [row("supervised", *[base] * len(ours), curve=baseline_curve)]
    (sentence,) = verdict(Comparison([*rows, row("a", *ours, curve=curve)], data))
    return sentence


def test_long_runs_with_several_seeds_have_a_verdict(data, base):
    better = base + 5
    better[:, 2] = 30
    helped = said(data, base, better, better)
    assert helped.startswith("a helped: +2.9 mIoU (95 %: +2.9 to +2.9, over images and seeds).")
    assert helped.endswith(f" Worse: {data.classes.names[2]} -10.0.")
    harmed = said(data, base, base - 5, base - 5)
    assert harmed.startswith("a made the result worse: -5.0 mIoU")
    assert "without the unlabeled images" in harmed


def test_a_gain_that_images_leave_open_is_none(data, base):
    mixed = base.copy()
    mixed[::2] += 9
    mixed[1::2] -= 9
    assert said(data, base, mixed, mixed).startswith(
        "a made no difference that these validation images and seeds can show: +0.0 mIoU"
    )


def test_a_gain_that_seeds_leave_open_is_none(data, base):
    """Each image agrees on each seed's gain: drawing images alone would call +1 and +9 certain."""
    unclear = said(data, base, base + 1, base + 9)
    assert unclear.startswith("a made no difference that these validation images and seeds")
    assert "more seeds" in unclear
    assert said(data, base, base + 5, base + 6).startswith("a helped: +5.5 mIoU")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (5, "a scored higher: +5.0 mIoU (95 %: +5.0 to +5.0, over images)."),
        (-5, "a scored lower: -5.0 mIoU (95 %: -5.0 to -5.0, over images)."),
        (0, "a made no difference that these validation images can show: +0.0 mIoU"),
    ],
)
def test_one_seed_says_nothing_of_others(data, base, change, says):
    sentence = said(data, base, base + change)
    assert sentence.startswith(says)
    assert "One seed: another seed may reverse it; use --seeds 3." in sentence
    for word in ("helped", "worse", "Worse", "Too short"):
        assert word not in sentence
    assert ("Lower in these runs: background -5.0" in sentence) == (change < 0)


def test_a_method_that_still_improves_did_no_harm(data, base):
    sentence = said(data, base, base - 5, base - 5, curve=RISING)
    assert sentence.startswith("a scored lower: -5.0 mIoU")
    assert "Too short to tell: the score of a was still rising at the end." in sentence
    assert "worse" not in sentence.lower()


def test_a_baseline_that_still_improves_may_catch_up(data, base):
    sentence = said(data, base, base + 5, base + 5, baseline_curve=RISING)
    assert sentence.startswith("a scored higher: +5.0 mIoU") and "helped" not in sentence
    assert "Too short to tell: the score of supervised was still rising at the end." in sentence


def test_who_is_ahead_may_still_improve(data, base):
    assert said(data, base, base + 5, base + 5, curve=RISING).startswith("a helped")
    harmed = said(data, base, base - 5, base - 5, baseline_curve=RISING)
    assert harmed.startswith("a made the result worse")


def test_a_score_that_was_higher_before_is_not_rising(data, base):
    assert "made the result worse" in said(data, base, base - 5, base - 5, curve=FALLING)


def test_the_mean_over_the_seeds_decides_whether_scores_rise(data, base):
    steep = [(300, 45.0), (400, 49.0)]
    fixed = [row("supervised", base, base, curve=FLAT)]
    for other, rises in ((FLAT, True), (FALLING, True), ([(300, 49.0), (400, 46.0)], False)):
        ours = replace(row("a", base - 5, base - 5), curves=(steep, other))
        (sentence,) = verdict(Comparison([*fixed, ours], data))
        assert ("still rising" in sentence) == rises


@pytest.mark.parametrize("change", [5, 0, -5])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_hundred_steps_have_no_verdict(data, base, change, seeds):
    runs = [base + change] * seeds
    sentence = said(data, base, *runs, curve=SHORT, baseline_curve=SHORT)
    assert "Too short to tell: the runs took 120 steps only. Train longer" in sentence
    assert ("One seed" in sentence) == (seeds == 1)
    for word in ("helped", "worse", "Worse"):
        assert word not in sentence


def test_few_images_have_no_verdict(base):
    data = recipe_from_words(["synthetic", "data.val=9"]).source().open()
    sentence = said(data, base[:9], base[:9] - 5, base[:9] - 5)
    assert "9 validation image(s) are too few for a verdict; use 10 or more." in sentence
    assert "worse" not in sentence.lower()


def test_there_is_no_verdict_without_a_baseline(data, base):
    assert "no baseline to compare with" in verdict(Comparison([row("a", base)], data))[0]
