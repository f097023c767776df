"""A resumed run stays the same run."""

import pytest

from fewmask.errors import UserError
from fewmask.run_folder.paths import RunPaths
from fewmask.tasks.changeable import require_changeable


def test_machine_length_and_places_may_change_and_nothing_else(tmp_path):
    paths = RunPaths(tmp_path)
    allowed = {"training": {"steps": 9, "log_every": 2}, "data": {"root": "photos"}}
    require_changeable(paths, {**allowed, "machine": {"devices": 2}, "logging": {"sinks": ()}})
    with pytest.raises(UserError, match=r"training.lr cannot change .* You can change training.st"):
        require_changeable(paths, {"training": {"steps": 9, "lr": 1.0}})
    with pytest.raises(UserError, match="seed cannot change .* --weights .*last.pt"):
        require_changeable(paths, {"seed": 1})
