"""Advice during training: each one is provoked, and none is given without a cause."""

import re

import numpy as np
import pytest
import torch

import fewmask
from fewmask.batch import StepReport
from fewmask.cli.words import recipe_from_words
from fewmask.engine.health import Health
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.engine.remedies import Remedies
from fewmask.evaluation import Scores
from fewmask.methods import METHODS
from tests.conftest import TINY_WORDS

NAMES = ("ground", "house", "well")
PRIOR = np.array([0.7, 0.2, 0.1])


def remedies(method="imas"):
    recipe = recipe_from_words(["synthetic", f"method={method}"])
    return Remedies.of(method=recipe.method, loader=recipe.loader, training=recipe.training)


def health_of(method="imas", prior=PRIOR):
    return Health(NAMES, 100, remedies(method), prior)


def report(used=None, loss=None):
    losses = {} if loss is None else {"unlabeled": torch.tensor(loss)}
    return StepReport(losses, None if used is None else torch.tensor(used))


def scores(*iou):
    return Scores(float(np.mean(iou)), 90.0, iou, np.eye(3, dtype=np.int64))


FINE = {"teacher": scores(90, 70, 40), "student": scores(89, 69, 39)}
WELL = report(0.6, 0.2)


def test_a_healthy_run_gets_no_advice():
    health = health_of()
    for step in range(10, 101, 10):
        assert health.advise(step, WELL, FINE) == []
    assert health.advise(100, report(), {"student": FINE["student"]}) == []


FEW = (report(used=0.001), FINE)
RISING = (report(0.6, 0.9), FINE)
LAGGING = (WELL, {**FINE, "student": scores(99, 79, 49)})
FORGOTTEN = (WELL, {"teacher": scores(90, 70, 0), "student": scores(89, 69, 0)})


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (FEW, r"only 0\.1 % of the unlabeled pixels.*method\.threshold"),
        (RISING, r"risen from 0\.200 to 0\.900.*unlabeled_weight"),
        (LAGGING, r"teacher is 9\.0 points of mIoU behind.*method\.ema_decay"),
        (FORGOTTEN, r"well was found before.*method\.threshold"),
    ],
)
def test_each_trouble_is_named_once_with_what_to_try(seen, says):
    health = health_of()
    health.advise(50, WELL, FINE)
    (advice,) = health.advise(60, *seen)
    assert advice.startswith("Advice: ")
    assert re.search(says, advice)
    assert health.advise(70, *seen) == []


GOOD = PseudoQuality(0.6, 0.95, 0.96, 0.02, PRIOR)
WRONG = GOOD._replace(accuracy=0.7)
UNEVEN = GOOD._replace(shares=np.array([0.99, 0.01, 0.0]))


@pytest.mark.parametrize(
    ("quality", "says"),
    [
        (WRONG, r"confidence of 96 %, but only 70 % are correct.*method\.threshold"),
        (
            UNEVEN,
            r"house has 20\.0 % of the labeled pixels but 1\.0 %.*\(also: well\).*class_balanced",
        ),
    ],
)
def test_bad_pseudo_labels_are_named_once(quality, says):
    health = health_of()
    assert health.advise(10, WELL, FINE, quality) == []  # early steps are given time
    assert health.advise(50, WELL, FINE, GOOD) == []
    (advice,) = health.advise(60, WELL, FINE, quality)
    assert re.search(says, advice)
    assert health.advise(70, WELL, FINE, quality) == []


def test_a_loss_that_grows_with_the_pixels_used_is_no_trouble():
    health = health_of()
    for step, used in ((20, 0.1), (60, 0.4), (90, 0.8)):
        assert health.advise(step, report(used, used / 5), FINE) == []


def test_early_steps_are_given_time():
    health = health_of()
    assert health.advise(10, report(used=0.0), {**FINE, "student": scores(99, 99, 99)}) == []


def test_classes_that_were_never_learned_are_named_at_the_end():
    health = health_of()
    poor = {"student": scores(90, 40, 0)}
    assert health.advise(90, report(), poor) == []
    assert "never learned: well" in health.advise(100, report(), poor)[0]


def test_a_class_that_val_does_not_show_is_no_trouble():
    confusion = np.array([[5, 0, 2], [0, 5, 0], [0, 0, 0]])  # well is predicted, but never true
    found = {"student": Scores(60.0, 90.0, (70.0, 80.0, 0.0), confusion)}
    assert health_of().advise(100, report(), found) == []


def every_advice(method):
    """All that a run of a method can ever be told: each trouble is provoked in a run of its own."""
    prior = None if method == "supervised" else PRIOR
    never = {"student": scores(90, 40, 0)}
    troubles = [(60, *FEW), (60, *RISING), (60, *LAGGING), (60, *FORGOTTEN), (100, WELL, never)]
    troubles += [(60, WELL, FINE, quality) for quality in (WRONG, UNEVEN)]
    if method == "supervised":  # it reports no pixels and no unlabeled loss, and has no teacher
        alone = {"student": FORGOTTEN[1]["student"]}
        troubles = [(60, report(), alone), (100, report(), never)]
    found = []
    for trouble in troubles:
        health = health_of(method, prior)
        if trouble[0] < 100:
            health.advise(50, WELL, FINE)
        advice = health.advise(*trouble)
        assert advice, trouble
        found += advice
    return found


@pytest.mark.parametrize("method", METHODS)
def test_every_option_that_an_advice_names_exists_in_the_recipe(method):
    recipe, named = recipe_from_words(["synthetic", f"method={method}"]), 0
    for advice in every_advice(method):
        for option in re.findall(r"\b[a-z]+(?:\.[a-z_]+)+\b", advice):
            value = recipe
            for name in option.split("."):
                assert hasattr(value, name), f"{method} has no {option}: {advice}"
                value = getattr(value, name)
            named += 1
    assert named >= len(every_advice(method))  # each advice names an option


def test_a_supervised_run_hears_nothing_of_pseudo_labels():
    for advice in every_advice("supervised"):
        assert "pseudo" not in advice and "unlabeled" not in advice and "teacher" not in advice


def test_gta_is_told_of_the_share_that_it_keeps():
    advice = " ".join(every_advice("gta"))
    assert (
        "raise method.keep_percent" in advice.lower()
        and "lower method.keep_percent" in advice.lower()
    )


def advice_of_fewmatch(quality, *words):
    recipe = recipe_from_words(["synthetic", "method=fewmatch", *words])
    known = Remedies.of(method=recipe.method, loader=recipe.loader, training=recipe.training)
    (advice,) = Health(NAMES, 100, known, PRIOR).advise(60, WELL, FINE, quality)
    return advice


def test_fewmatch_is_told_of_its_own_switches_before_class_weights():
    own = "Raise method.alignment, raise method.dropped, "
    weights = "set method.supervised_loss.class_weights=balanced, set loader.class_balanced=true"
    assert f". {own}{weights}, or label more" in advice_of_fewmatch(UNEVEN)
    # What is at its largest value is not to be raised.
    assert ". Raise method.dropped, set" in advice_of_fewmatch(UNEVEN, "method.alignment=1")


def test_fewmatch_is_told_to_drop_more_if_its_labels_are_wrong_and_fewer_if_there_are_few():
    assert ". Raise method.dropped, lower method.unlabeled_weight" in advice_of_fewmatch(WRONG)
    (advice,) = health_of("fewmatch").advise(60, *FEW)
    assert advice.endswith(". Lower method.dropped, or train longer (training.steps).")
    lost = health_of("fewmatch")
    lost.advise(50, WELL, FINE)
    (advice,) = lost.advise(60, *FORGOTTEN)
    assert ". Raise method.alignment, raise method.dropped, set" in advice


def test_a_method_of_your_own_without_options_still_hears_what_to_try():
    health = Health(NAMES, 100, Remedies({}), PRIOR)
    (advice,) = health.advise(60, *FEW)
    assert advice.endswith("teach almost nothing. Train longer (training.steps).")


def test_a_run_whose_threshold_keeps_nothing_is_told(tmp_path):
    words = ("synthetic", "method=imas", "method.threshold=1.0", *TINY_WORDS)
    fewmask.train(*words, "training.steps=4", out=tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text()
    assert log.count("Advice: only 0.0 % of the unlabeled pixels") == 1
