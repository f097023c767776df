"""A folder that has nothing wrong."""

import pytest

from tests.data.checks.photos import write_clean


@pytest.fixture
def clean(tmp_path):
    return write_clean(tmp_path / "photos")
