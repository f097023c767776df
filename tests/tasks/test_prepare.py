"""Published data sets are converted and counted; others need nothing."""

import pytest

from fewmask.errors import UserError
from fewmask.tasks.prepare import prepare
from tests.data import trees


def test_counts_that_differ_from_the_published_ones_are_warnings(tmp_path):
    said = []
    data, warnings = prepare("camvid", trees.camvid(tmp_path), False, said.append)
    assert said[0].startswith(f"{len(data.labeled)} training images")
    assert warnings[0] == f"{len(data.labeled)} training images, but 367 were published."


def test_data_that_needs_no_preparation_is_told_so(tmp_path):
    with pytest.raises(UserError, match="'synthetic' needs no preparation"):
        prepare("synthetic", tmp_path, False, print)
