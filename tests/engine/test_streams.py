"""Batches are divided equally, and every pass covers its set."""

import pytest
import torch

from fewmask.batch import IMAGENET, Views
from fewmask.cli.words import recipe_from_words
from fewmask.data import stream
from fewmask.engine.streams import (
    LabeledPass,
    steps_per_epoch,
    training_streams,
    validation_stream,
)
from fewmask.errors import UserError
from tests.conftest import TINY_WORDS


def opened(*words):
    recipe = recipe_from_words(["synthetic", *TINY_WORDS, *words])
    return recipe, recipe.source().open()


def test_accumulation_rounds_share_the_batch():
    recipe, data = opened("training.accumulate=2", "loader.labeled_batch=4")
    rounds = training_streams(data, recipe, Views(), IMAGENET)
    whole, *_ = training_streams(
        data, opened("training.accumulate=1", "loader.labeled_batch=4")[0], Views(), IMAGENET
    )
    labeled = torch.cat([stream[3].labeled.image for stream in rounds])
    assert len(rounds) == 2 and torch.equal(labeled, whole[3].labeled.image)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("training.accumulate=3", "loader.labeled_batch=4"),
            r"labeled_batch=4 cannot be divided by 1 device\(s\) x 3 .* multiple of 3",
        ),
        (("training.accumulate=2",), "labeled_batch=2 leaves one image to normalize over"),
    ],
)
def test_a_batch_that_cannot_be_divided_is_refused(words, says):
    recipe, data = opened(*words)
    with pytest.raises(UserError, match=says):
        training_streams(data, recipe, Views(), IMAGENET)


def test_an_epoch_is_a_pass_over_what_the_method_is_about():
    recipe, data = opened()
    assert steps_per_epoch(data, recipe.loader, Views()) == 7 // 2
    assert steps_per_epoch(data, recipe.loader, None) == 6 // 2
    large = recipe.loader.model_copy(update={"unlabeled_batch": 100})
    assert steps_per_epoch(data, large, Views()) == 1


def test_a_labeled_pass_reads_nothing_until_it_is_iterated(monkeypatch):
    recipe, data = opened("loader.labeled_batch=4")
    read, image = [], type(data.labeled).image
    monkeypatch.setattr(
        type(data.labeled), "image", lambda self, i: read.append(i) or image(self, i)
    )
    labeled = LabeledPass(data, recipe, torch.device("cpu"), IMAGENET)
    assert read == []
    batches = list(labeled)
    assert [len(batch.image) for batch in batches] == [4, 4]  # six images: the last two wrap around
    assert set(read) == set(range(6))


def test_validation_crops_are_the_same_for_every_seed_and_never_balanced():
    recipe, data = opened("seed=1", "loader.class_balanced=true")
    other, _ = opened("seed=2")
    one, two = (validation_stream(data, r.loader, IMAGENET)[0] for r in (recipe, other))
    assert torch.equal(one.labeled.image, two.labeled.image)
    assert one.unlabeled is not None


def test_only_labeled_images_are_shown_in_their_view():
    """Training and prototypes see them as the network does; validation images keep their colors."""
    given = []
    for words in ((), ("loader.labeled_view=unimatch",)):
        recipe, data = opened(*words)
        training = training_streams(data, recipe, Views(), IMAGENET)[0][0].labeled.image
        labeled = LabeledPass(data, recipe, torch.device("cpu"), IMAGENET)
        val = validation_stream(data, recipe.loader, IMAGENET)[0].labeled.image
        given.append((training, torch.cat([batch.image for batch in labeled]), val))
    (training, labeled, val), colored = given
    assert not torch.equal(training, colored[0]) and not torch.equal(labeled, colored[1])
    assert torch.equal(val, colored[2])


def test_scales_are_drawn_as_the_recipe_says(monkeypatch):
    drawn, draw = [], stream.draw_scale
    monkeypatch.setattr(stream, "draw_scale", lambda *a: drawn.append(draw(*a)) or drawn[-1])
    for how in ("uniform", "quarters"):
        recipe, data = opened(f"loader.scale_draw={how}", "loader.scale=[0.5, 2.0]")
        _ = training_streams(data, recipe, Views(), IMAGENET)[0][0]
    uniform, quarters = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
    assert quarters and all(scale * 4 % 1 == 0 for scale in quarters)
    assert all(scale * 4 % 1 != 0 for scale in uniform)
