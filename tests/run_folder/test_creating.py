"""Run folders are numbered, and a run is never lost."""

import pytest

from fewmask.errors import UserError
from fewmask.run_folder.creating import new_run_folder


def test_run_folders_are_numbered_and_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [new_run_folder("a-b").name for _ in range(2)] == ["a-b-001", "a-b-002"]
    out = tmp_path / "mine"
    new_run_folder("x", out=out)
    (out / "recipe.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="--overwrite"):
        new_run_folder("x", out=out)
    new_run_folder("x", overwrite=True, out=out)
