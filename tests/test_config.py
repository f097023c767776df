"""Options: strict, typed, and errors a person can act on."""

import pytest
import yaml

from fewmask.config import did_you_mean, parse_yaml, validate
from fewmask.errors import UserError
from fewmask.models import ModelConfig


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[yes, no, on, off, y, n]", ["yes", "no", "on", "off", "y", "n"]),
        ("[true, False, null, ~]", [True, False, None, None]),
        ("[1, -2, +3, 0, 1.0e-3, .5, 2., 1.5e3]", [1, -2, 3, 0, 0.001, 0.5, 2.0, 1500.0]),
        ("[010, 0x10, 12:30, 2024-05-01, 1_000]", ["010", "0x10", "12:30", "2024-05-01", "1_000"]),
        ("{255:1}", {"255:1": None}),
        ("{255: 1, '#ff0000': 0}", {255: 1, "#ff0000": 0}),
        ("&x {a: 1}", {"a": 1}),
        ("", None),
    ],
)
def test_plain_values(text, value):
    assert parse_yaml(text) == value


def test_everything_that_yaml_writes_is_read_back():
    value = {"a": [1.5, 1e-7, 1e300, "yes", "010", "2024-05-01", "1e3", "", None, True, -3]}
    assert parse_yaml(yaml.safe_dump(value)) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "a is given twice, in line 3"),
        ("{x: {1: 0, 1: 2}}", "1 is given twice"),
        ("masks: {name}/masks", "put patterns in quotes, '{name}/masks'"),
        ("palette: {#000000: 0, #ff0000: 1}", "# begins a comment: put colors in quotes"),
        ("{[1]: 2}", "a key cannot be a list"),
        ("[" * 5000, "nested too deeply"),
        ("!!python/object/apply:os.system [id]", "could not determine a constructor"),
    ],
)
def test_mistakes_are_named(text, says):
    with pytest.raises(yaml.YAMLError, match=says):
        parse_yaml(text)
