"""Options: strict, typed, and errors a person can act on."""

import pytest

from fewmask.config import did_you_mean, merge, validate
from fewmask.errors import UserError
from fewmask.models import ModelConfig


def test_another_method_starts_from_its_own_defaults():
    base = {"method": {"name": "imas", "threshold": 0.7}}
    assert merge(base, {"method": {"name": "supervised"}}) == {"method": {"name": "supervised"}}
    assert merge(base, {"method": {"name": "imas", "ema_decay": 0.9}})["method"]["threshold"] == 0.7


def test_a_wrong_value_of_an_option_with_several_types_is_one_message():
    with pytest.raises(UserError) as caught:
        validate(ModelConfig, {"frozen_stages": "some"}, "model")
    message = str(caught.value)
    assert message.startswith("model.frozen_stages='some': ") and ", or " in message
    assert "\n" not in message and "constrained" not in message and "literal[" not in message


def test_known_words_are_found_in_any_case_and_never_listed_by_the_thousand():
    assert did_you_mean("UNET", ["unet", "fpn"]) == "Did you mean 'unet'?"
    assert did_you_mean("x", ["unet", "fpn"]) == "Known: fpn, unet."
    many = [f"swin_{i}_of_a_long_name" for i in range(1000)] + ["other"]
    found = did_you_mean("swin", many)
    assert found.startswith("Some of 1001 known ones: swin_0_") and len(found) < 200
