"""A dry run looks at everything that the run would use."""

import pytest

import fewmask
from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.runs.initial_weights import InitialWeights
from fewmask.tasks.rehearse import rehearse
from tests.conftest import TINY_WORDS

WORDS = ("synthetic", "method=supervised", *TINY_WORDS, "training.steps=2")


def say_nothing(note):
    """Drops messages."""


def test_it_starts_from_the_weights_that_the_run_would_start_from(tmp_path):
    run = fewmask.train(*WORDS, out=tmp_path / "run")
    recipe = recipe_from_words([*WORDS, "model.pretrained=auto"])
    with pytest.raises(UserError, match="There is no checkpoint"):
        rehearse(recipe, InitialWeights(tmp_path / "missing.pt"), tell=say_nothing)
    assert rehearse(recipe, InitialWeights(run.paths.best), tell=say_nothing).cost.step > 0
    other = recipe_from_words([*WORDS, "model.decoder.channels=9"])
    with pytest.raises(UserError, match="do not fit this network"):
        rehearse(other, InitialWeights(run.paths.best), tell=say_nothing)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]
