"""Names, colors and values of classes."""

import numpy as np
import pytest

from fewmask.data.classes import Classes, default_colors
from fewmask.errors import UserError


def test_default_colors_differ_and_start_with_dark_gray():
    colors = default_colors(40)
    assert colors[0] == (60, 60, 60) and len(set(colors)) == 40


def test_given_colors_and_values_are_kept():
    classes = Classes([1, 2], [(1, 2, 3), (4, 5, 6)], [7, 9], no_label=None)
    assert classes.names == ("1", "2") and classes.values == (7, 9) and classes.no_label is None
    assert classes.colors.dtype == np.uint8 and classes.colors.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert len(classes) == 2


def test_names_that_no_table_can_show_and_too_many_of_them_are_refused():
    for name in ("a\nb", "\x1b[2J", "a\x9b"):
        with pytest.raises(UserError, match="control characters"):
            Classes(["a", name])
    with pytest.raises(UserError, match="256 classes are more than the 255"):
        Classes([f"c{i}" for i in range(256)])


def test_a_class_name_is_no_novel():
    with pytest.raises(UserError, match="begins with 'xxx.* has 201 characters, more than 200"):
        Classes(["x" * 201, "b"])
    assert Classes(["x" * 200, "b"]).names[0] == "x" * 200
