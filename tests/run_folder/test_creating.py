"""A new run gets a folder of its own, and never touches files of others."""

import pytest

from fewmask.errors import UserError
from fewmask.run_folder.creating import new_run_folder
from fewmask.run_folder.paths import RunPaths


def test_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [new_run_folder("photos-imas").as_posix() for _ in range(2)]
    assert names == ["runs/photos-imas-001", "runs/photos-imas-002"]
    (tmp_path / "runs/photos-imas-001").rename(tmp_path / "runs/kept")
    assert new_run_folder("photos-imas").name == "photos-imas-001"


def test_a_run_is_replaced_only_if_asked_and_other_files_stay(tmp_path):
    paths = RunPaths(new_run_folder("", out=tmp_path / "run"))
    paths.recipe.write_text("")
    for file in (paths.results, paths.last, paths.folder / "notes.txt"):
        file.write_text("mine")
    paths.rank.mkdir()
    (paths.rank / "a").touch()
    with pytest.raises(UserError, match="already holds a run.*--resume .*--overwrite"):
        new_run_folder("", out=paths.folder)
    assert new_run_folder("", overwrite=True, out=paths.folder) == paths.folder
    assert not any(path.exists() for path in (paths.results, paths.last, paths.rank))
    assert (paths.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_other_files_is_refused(overwrite, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="other files and no run"):
        new_run_folder("", overwrite, tmp_path)
    with pytest.raises(UserError, match="Cannot create the run folder"):
        new_run_folder("", out=tmp_path / "deep" / "thesis.txt")
    assert (tmp_path / "deep" / "thesis.txt").read_text() == "mine"


def test_run_folders_are_numbered_and_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [new_run_folder("a-b").name for _ in range(2)] == ["a-b-001", "a-b-002"]
    out = tmp_path / "mine"
    new_run_folder("x", out=out)
    (out / "recipe.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="--overwrite"):
        new_run_folder("x", out=out)
    new_run_folder("x", overwrite=True, out=out)
