"""Options: strict, typed, and errors a person can act on."""

from pathlib import Path

import pytest
import yaml

from fewmask.config import BaseConfig, ascending, find, parse_yaml, read_yaml, validate
from fewmask.errors import UserError
from fewmask.models import ModelConfig


def test_a_wrong_value_of_an_option_with_several_types_is_one_message():
    with pytest.raises(UserError) as caught:
        validate(ModelConfig, {"frozen_stages": "some"}, "model")
    message = str(caught.value)
    assert message.startswith("model.frozen_stages='some': ") and ", or " in message
    assert "\n" not in message and "constrained" not in message and "literal[" not in message


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


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
        "a: &a [*a]",
        "a: &a x\nb: [" + "*a, " * 61 + "]",
        "a: " + "9" * 5000,
        "a: " + "[" * 5000,
    ],
)
def test_yaml_that_stands_for_more_than_it_says_is_refused(text):
    with pytest.raises(yaml.YAMLError, match="alias|nested"):
        parse_yaml(text)


def test_plain_aliases_are_read():
    assert parse_yaml("a: &a [1, 2]\nb: *a\nc: *a") == {"a": [1, 2], "b": [1, 2], "c": [1, 2]}


@pytest.mark.parametrize("value", [2**63, -(10**30), float("nan"), float("inf"), 1e300])
def test_numbers_that_nothing_counts_with_are_refused(value):
    with pytest.raises(UserError, match="18 digits|finite number"):
        validate(ModelConfig, {"drop_path": value}, "model")


def test_a_nul_byte_is_refused_wherever_it_stands():
    for value in ("a\0b", ["a\0"], {"a\0": 1}):
        with pytest.raises(UserError, match="NUL bytes"):
            validate(ModelConfig, {"encoder": value}, "model")


@pytest.mark.parametrize("name", [":", "..a:b", "a b:C", "a:", "a:b.c"])
def test_a_name_that_is_no_class_is_refused(name):
    with pytest.raises(UserError, match=r"expected package.module:Class"):
        find(name, {}, "method")


def test_pairs_ascend():
    assert ascending((1, 2)) == (1, 2) and ascending((2, 2)) == (2, 2)
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        ascending((2, 1))


def test_a_yaml_file_is_a_file_with_words_as_keys(tmp_path):
    (tmp_path / "a.yaml").write_text("5: x\n")
    with pytest.raises(UserError, match="key: value"):
        read_yaml(tmp_path / "a.yaml")
    with pytest.raises(UserError, match="pipe"):
        read_yaml(Path("/dev/null") if Path("/dev/null").exists() else tmp_path)


def test_a_message_does_not_grow_with_the_value():
    class Many(BaseConfig):
        numbers: tuple[int, ...] = ()

    for value in ("x" * 10**6, ["x"] * 10**5):
        with pytest.raises(UserError) as refused:
            validate(Many, {"numbers": value})
        assert len(str(refused.value)) < 5000
    assert "... and 99970 more." in str(refused.value)
