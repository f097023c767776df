"""Published ways of scoring, by name."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig


def test_a_protocol_is_a_name_for_settings():
    config = EvaluationConfig(protocol="cityscapes")
    assert (config.mode, config.window, config.stride) == ("sliding", 769, 513)
    assert (config.at_border, config.average) == ("shift", "logits")
    assert EvaluationConfig(**config.model_dump()) == config  # a written recipe reads back
    words = "sliding windows of 769 pixels every 513, shift at the border, logits averaged"
    assert config.in_words() == words
    assert "not comparable" in EvaluationConfig(protocol="training_crop").in_words()
    recipe = recipe_from_words(["cityscapes/imas", "data.root=x"])
    assert (recipe.evaluation.stride, recipe.evaluation.average) == (512, "probs")
    for word, says in (
        ("mode=sliding", "protocol=voc means mode=whole, but mode=sliding"),
        ("flip=true", "means flip=False, but flip=True"),
        ("scales=[0.5,1]", "means scales"),
        ("pad_to=99", "means pad_to=None"),
    ):
        with pytest.raises(UserError, match=says):
            recipe_from_words(["voc/imas", "data.root=x", f"evaluation.{word}"])
    with pytest.raises(UserError, match="stride=40 leaves gaps between windows of 33"):
        recipe_from_words(["camvid", "data.root=x", "evaluation.window=33", "evaluation.stride=40"])
    with pytest.raises(UserError, match=r"Names that begin so: cityscapes, cityscapes_imas\.$"):
        recipe_from_words(["voc/imas", "data.root=x", "evaluation.protocol=cityscape"])
