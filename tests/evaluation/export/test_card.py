"""A card comes back from a file as it went in, and other files are refused."""

import json
from pathlib import Path

import pytest

from fewmask.errors import UserError
from fewmask.evaluation.export.card import card_of, from_strings, to_strings

FILE = Path("some.onnx")


def test_a_card_comes_back_as_it_went_in(predictor):
    card = card_of(predictor, "0123")
    assert from_strings(to_strings(card), FILE) == card
    assert card["class_names"] == ["a", "b", "c"] and card["in_channels"] == 3
    assert [tuple(values) for values in card["normalization"]] == [*predictor.network.normalization]
    assert card["size"] is None and card["long_side"] is None


def test_a_card_of_another_program_or_version_or_damaged_is_refused(predictor):
    strings = to_strings(card_of(predictor, "0123"))
    with pytest.raises(UserError, match="not written by fewmask export.*'format'"):
        from_strings({}, FILE)
    with pytest.raises(UserError, match="says nothing about 'long_side'"):
        from_strings({key: text for key, text in strings.items() if key != "long_side"}, FILE)
    with pytest.raises(UserError, match="is damaged"):
        from_strings({**strings, "class_names": '["a"'}, FILE)
    with pytest.raises(UserError, match="format 9.*reads format 1"):
        from_strings({**strings, "format": json.dumps(9)}, FILE)
