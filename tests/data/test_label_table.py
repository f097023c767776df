"""Values in mask files become labels, or one clear error."""

from pathlib import Path

import numpy as np
import pytest

from fewmask.data import LabelTable
from fewmask.errors import UserError

FILE = Path("m.png")


@pytest.mark.parametrize("kind", [np.uint8, np.int32])
def test_values_are_mapped_and_ignored(kind):
    table = LabelTable(2, mapping={7: 1, 8: 255}, ignore=(9,))
    values = np.array([[0, 1, 7, 8, 9]], kind)
    labels = table.to_labels(values, FILE)
    assert labels.tolist() == [[0, 1, 1, 255, 255]] and labels.dtype == np.uint8
    with pytest.raises(UserError, match=r"m.png has label 2, 3; expected .* 2 classes are 0..1, 7"):
        table.to_labels(np.array([[0, 3, 2]], kind), FILE)


def test_values_of_16_bits_are_mapped_too():
    table = LabelTable(2, mapping={1000: 1})
    assert table.to_labels(np.array([[0, 1000]], np.uint16), FILE).tolist() == [[0, 1]]
    with pytest.raises(UserError, match=r"label 60000.*data.label_mapping=\{60000: <class>\}"):
        table.to_labels(np.array([[60000]], np.uint16), FILE)


def test_colors_become_labels():
    table = LabelTable(2, palette={0xFF0000: 1, 0: 0, 0x0000FF: 255})
    colors = np.array([[0, 0xFF0000, 0x0000FF]], np.int32)
    assert table.to_labels(colors, FILE).tolist() == [[0, 1, 255]]
    with pytest.raises(UserError, match=r"has 1 pixels in colors .*#123456.*without smoothing"):
        table.to_labels(np.array([[0x123456, 0]], np.int32), FILE)


def test_a_label_beyond_the_classes_is_refused_at_once():
    with pytest.raises(UserError, match=r"maps to 2, but the 2 classes are 0..1 \(and 255"):
        LabelTable(2, mapping={5: 2})


def test_many_wrong_values_are_shortened():
    with pytest.raises(UserError, match=r"label 2, 3, 4, 5, 6, 7 \.\.\. \(8 values\)"):
        LabelTable(2).to_labels(np.arange(10, dtype=np.uint8)[None], FILE)
