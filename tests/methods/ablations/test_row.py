"""The rows of the papers' ablations."""

import pytest

from fewmask.batch import IMAGENET, to_device
from fewmask.cli.words import recipe_from_words
from fewmask.config import find, merge, validate
from fewmask.methods import METHODS
from fewmask.methods.ablations import ROWS_OF, Row
from fewmask.models import create_model
from tests.conftest import MID_TRAINING, TINY
from tests.methods.test_contract import OneDevice, backward, uint8_batch

every_table = pytest.mark.parametrize("name", ROWS_OF)


@every_table
def test_every_row_is_another_run_of_its_method(name):
    base, *rows = ROWS_OF[name]
    assert base.words == ()
    recipes = [
        recipe_from_words(("synthetic", f"method={name}", *row.words)).method
        for row in (base, *rows)
    ]
    assert all(recipe not in recipes[:i] for i, recipe in enumerate(recipes))
    assert len({row.title for row in ROWS_OF[name]}) == len(recipes)


@every_table
def test_every_switch_is_off_by_default_and_repeats_a_row(name):
    """A length may be given in epochs or in steps; a row needs one of them."""
    config = find(name, METHODS, "method").Config
    ablation = type(config(name=name).ablation)
    words = " ".join(word for row in ROWS_OF[name] for word in row.words)
    unused = [key for key in ablation.model_fields if f"method.ablation.{key}=" not in words]
    assert unused in ([], ["supervised_steps"])
    assert config(name=name).ablation == ablation()


EARLY = {"gta": {"warmup_epochs": 0}, "pcr": {"warmup_epochs": 0, "cells": 4}}


@pytest.mark.parametrize(("name", "row"), [(n, row) for n in EARLY for row in ROWS_OF[n]])
@pytest.mark.parametrize("step", [0, 50])
def test_the_step_of_every_row_waits_for_no_device(name: str, row: Row, step: int):
    """A device without numbers refuses whatever depends on one."""
    recipe = recipe_from_words(["synthetic", f"method={name}", *row.words])
    kind = find(name, METHODS, "method")
    config = validate(kind.Config, merge(recipe.method.model_dump(), EARLY[name]))
    student = create_model(TINY.model_copy(update={"aux_head": True}), num_classes=3)
    method = kind(lambda: student, config).to("meta")
    with OneDevice():
        batch = to_device(uint8_batch(None), "meta", IMAGENET)
        report = method.step(batch, backward, MID_TRAINING._replace(step=step))
    assert {x.device.type for x in report.by_name().values()} == {"meta"}
