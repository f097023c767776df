"""A file of weights is believed only if what it says of itself can be true."""

from pathlib import Path

import pytest

from fewmask.errors import UserError
from fewmask.evaluation.facts import read_facts

FILE = Path("best.pt")
TRUE = {
    "class_names": ["sky", "road"],
    "class_colors": [[0, 0, 0], [255, 0, 9]],
    "class_values": [0, 7],
    "no_label": [None, [255, 255, 255]],
    "long_side": 384,
    "range": [0, 4095],
    "weights": "something else",
}


def test_true_facts_are_read():
    facts = read_facts(TRUE, FILE)
    assert facts.classes.names == ("sky", "road") and facts.classes.values == (0, 7)
    assert facts.classes.no_label is None and facts.range == (0.0, 4095.0)
    assert facts.crop is None and facts.long_side == 384


def test_early_files_do_not_name_values():
    early = {key: TRUE[key] for key in ("class_names", "class_colors", "long_side")}
    classes = read_facts(early, FILE).classes
    assert classes.values == (0, 1) and classes.no_label == 255


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("class_names", []),
        ("class_names", ["a"] * 300),
        ("class_colors", [[0, 0, 0]]),
        ("class_colors", [[0, 0, 999], [0, 0, 0]]),
        ("class_values", [0, -1]),
        ("no_label", 255),
        ("long_side", 0),
        ("crop", "x"),
        ("range", [2, 1]),
        ("range", [float("nan"), 1]),
        ("model", "resnet50"),
        ("evaluation", None),
    ],
)
def test_others_are_refused_in_one_short_message(key, value):
    with pytest.raises(UserError, match=f"best.pt is damaged.*{key}.*Restore it") as refused:
        read_facts({**TRUE, key: value}, FILE)
    assert len(str(refused.value)) < 5000
