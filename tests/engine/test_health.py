"""Advice during training: each one is provoked, and none is given without a cause."""

import re

import numpy as np
import pytest

import fewmask
from fewmask.engine.health import Health
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.evaluation import Scores
from tests.conftest import TINY_WORDS

NAMES = ("ground", "house", "well")


def scores(*iou):
    return Scores(float(np.mean(iou)), 90.0, iou, np.eye(3, dtype=np.int64))


FINE = {"teacher": scores(90, 70, 40), "student": scores(89, 69, 39)}
VALUES = {"used_pixels": 0.6, "loss_unlabeled": 0.2}


def test_a_healthy_run_gets_no_advice():
    health = Health(NAMES, 100)
    for step in range(10, 101, 10):
        assert health.look(step, VALUES, FINE) == []
    assert health.look(100, {}, {"student": FINE["student"]}) == []


@pytest.mark.parametrize(
    ("values", "networks", "says"),
    [
        ({"used_pixels": 0.001}, FINE, "only 0.1% of the unlabeled pixels.*method.threshold"),
        ({**VALUES, "loss_unlabeled": 0.9}, FINE, "risen from 0.200 to 0.900.*unlabeled_weight"),
        (VALUES, {**FINE, "student": scores(99, 79, 49)}, "teacher is 9.0 points behind"),
        (VALUES, {"teacher": scores(90, 70, 0), "student": scores(89, 69, 0)}, "well was known"),
    ],
)
def test_each_trouble_is_named_once_with_what_to_try(values, networks, says):
    health = Health(NAMES, 100)
    health.look(50, VALUES, FINE)
    (advice,) = health.look(60, values, networks)
    assert advice.startswith("Advice: ")
    assert re.search(says, advice)
    assert health.look(70, values, networks) == []


GOOD = PseudoQuality(0.6, 0.95, 0.96, 0.02, np.array([0.7, 0.2, 0.1]))


@pytest.mark.parametrize(
    ("quality", "says"),
    [
        (GOOD._replace(accuracy=0.7), "96% sure and 70% right.*method.threshold"),
        (
            GOOD._replace(shares=np.array([0.99, 0.01, 0.0])),
            r"house is 20.0% of the labeled pixels but 1.0%.*\(also: well\).*class_balanced",
        ),
    ],
)
def test_bad_pseudo_labels_are_named_once(quality, says):
    health = Health(NAMES, 100, prior=np.array([0.7, 0.2, 0.1]))
    assert health.look(10, VALUES, FINE, quality) == []  # early steps are given time
    assert health.look(50, VALUES, FINE, GOOD) == []
    (advice,) = health.look(60, VALUES, FINE, quality)
    assert re.search(says, advice)
    assert health.look(70, VALUES, FINE, quality) == []


def test_a_loss_that_grows_with_the_pixels_used_is_no_trouble():
    health = Health(NAMES, 100)
    for step, used in ((20, 0.1), (60, 0.4), (90, 0.8)):
        assert health.look(step, {"used_pixels": used, "loss_unlabeled": used / 5}, FINE) == []


def test_early_steps_are_given_time():
    health = Health(NAMES, 100)
    assert health.look(10, {"used_pixels": 0.0}, {**FINE, "student": scores(99, 99, 99)}) == []


def test_classes_that_were_never_learned_are_named_at_the_end():
    health = Health(NAMES, 100)
    poor = {"student": scores(90, 40, 0)}
    assert health.look(90, {}, poor) == []
    assert "never learned: well" in health.look(100, {}, poor)[0]


def test_a_class_that_val_does_not_show_is_no_trouble():
    confusion = np.array([[5, 0, 2], [0, 5, 0], [0, 0, 0]])  # well is predicted, but never true
    health = Health(NAMES, 100)
    assert health.look(100, {}, {"student": Scores(60.0, 90.0, (70.0, 80.0, 0.0), confusion)}) == []


def test_a_run_whose_threshold_keeps_nothing_is_told(tmp_path):
    words = ("synthetic", "method=imas", "method.threshold=1.01", *TINY_WORDS)
    fewmask.train(*words, "training.steps=4", out=tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text()
    assert log.count("Advice: only 0.0% of the unlabeled pixels") == 1
