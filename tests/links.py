"""Links between files, for tests of how they are followed."""

from pathlib import Path

import pytest


def link(path: Path, target: Path) -> None:
    """Makes a link, or skips the test where links are not allowed, as on most Windows systems."""
    try:
        path.symlink_to(target)
    except OSError as error:
        pytest.skip(f"links are not allowed here: {error}")
