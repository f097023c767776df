"""What a rehearsal measures."""

from fewmask.cli.words import recipe_from_words
from fewmask.tasks.rehearse import rehearse
from tests.conftest import TINY_WORDS


def test_time_and_memory_are_those_of_a_step_and_of_all_validation_images():
    words = ["synthetic", *TINY_WORDS, "model.encoder=test_resnet", "training.steps=5"]
    cost = rehearse(recipe_from_words(words), tell=lambda note: None).cost
    assert cost.step > 0 and cost.evaluation > 0 and cost.memory_gib > 0
