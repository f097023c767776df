"""Validation scores every network and never changes what is learned."""

import copy

import pytest
import torch
from lightning_fabric import Fabric

from fewmask.cli.words import recipe_from_words
from fewmask.engine.validation import Validation
from fewmask.methods import METHODS
from fewmask.models import create_model
from tests.conftest import TINY, TINY_WORDS, past_warm_up


@pytest.mark.parametrize("name", METHODS)
def test_every_network_is_scored_and_nothing_is_changed(name):
    recipe = recipe_from_words(["synthetic", *TINY_WORDS, f"method={name}"])
    data = recipe.source().open()
    torch.manual_seed(0)
    method = past_warm_up(name, create_model(TINY, len(data.classes)))
    before = copy.deepcopy(method.state_dict())
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    validation = Validation(fabric, method, data, recipe)
    scores, quality = validation.scores(), validation.pseudo_quality()
    assert [*scores] == [*method.predictors()]
    assert all(s.confusion.sum() == 4 * 48 * 48 for s in scores.values())
    assert (quality is None) == (method.views is None)
    after = method.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
