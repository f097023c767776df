"""Methods are built from a recipe: random weights follow from its seed."""

import torch

import fewmask
from fewmask.cli.words import recipe_from_words
from fewmask.runs.build import build_method, make_card
from fewmask.runs.run import Run
from tests.conftest import TINY_WORDS

WORDS = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=2")


def weights(method):
    return torch.cat([p.flatten() for p in method.parameters()])


def test_weights_follow_from_the_seed():
    recipe = recipe_from_words(WORDS)
    first, same = (weights(build_method(recipe, 7, pretrained=False)) for _ in range(2))
    other = weights(build_method(recipe.model_copy(update={"seed": 1}), 7, pretrained=False))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_a_card_holds_plain_values(tmp_path):
    run = Run.open(fewmask.train(*WORDS, out=tmp_path / "run").folder)
    card = make_card(run.recipe, run.data)
    torch.save(card, tmp_path / "card")
    assert torch.load(tmp_path / "card", weights_only=True) == card
    assert card["class_names"] == list(run.data.classes.names) and card["method_name"] == "imas"
