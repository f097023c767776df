"""The rows of the ablation tables are words that a command understands."""

import pytest

from fewmask.batch import IMAGENET, to_device
from fewmask.cli.words import recipe_from_words
from fewmask.config import find, merge, validate
from fewmask.methods import METHODS
from fewmask.methods.ablations import ROWS_OF, Row
from fewmask.models import create_model
from tests.conftest import MID_TRAINING, TINY
from tests.methods.test_contract import OneDevice, backward, uint8_batch

ROWS = [(name, row) for name, rows in ROWS_OF.items() for row in rows]


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{n}: {row.title}" for n, row in ROWS])
def test_every_row_changes_options_of_its_method(name: str, row: Row):
    plain = recipe_from_words(["synthetic", f"method={name}"]).method
    changed = recipe_from_words(["synthetic", f"method={name}", *row.words]).method
    assert type(changed) is type(plain)
    assert (changed == plain) == (not row.words)


def test_the_first_row_is_the_method_itself_and_no_two_rows_are_the_same():
    for rows in ROWS_OF.values():
        assert rows[0].words == ()
        assert len({row.title for row in rows}) == len({row.words for row in rows}) == len(rows)


EARLY = {"gta": {"warmup_epochs": 0}, "pcr": {"warmup_epochs": 0, "cells": 4}}


@pytest.mark.parametrize(("name", "row"), [x for x in ROWS if x[0] in EARLY])
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
