"""A new run gets a folder of its own, and never touches files of others."""

import pytest

from fewmask.data.own_files import OwnFiles
from fewmask.errors import UserError
from fewmask.run_folder.creating import new_run_folder
from fewmask.run_folder.lock import one_writer
from fewmask.run_folder.paths import RunPaths
from tests.links import link


def created(*args, **options):
    """A new folder, after its writer has ended."""
    with new_run_folder(*args, **options) as folder:
        return folder


def test_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [created("photos-imas").as_posix() for _ in range(2)]
    assert names == ["runs/photos-imas-001", "runs/photos-imas-002"]
    (tmp_path / "runs/photos-imas-001").rename(tmp_path / "runs/kept")
    assert created("photos-imas").name == "photos-imas-001"


def test_a_run_is_replaced_only_if_asked_and_other_files_stay(tmp_path):
    paths = RunPaths(created("", out=tmp_path / "run"))
    paths.recipe.write_text("")
    for file in (paths.results, paths.last, paths.folder / "notes.txt"):
        file.write_text("mine")
    paths.rank.mkdir()
    (paths.rank / "a").touch()
    with pytest.raises(UserError, match="already holds a run.*--resume .*--overwrite"):
        created("", out=paths.folder)
    assert created("", overwrite=True, out=paths.folder) == paths.folder
    assert not any(path.exists() for path in (paths.results, paths.last, paths.rank))
    assert (paths.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_other_files_is_refused(overwrite, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="other files and no run"):
        created("", overwrite, tmp_path)
    with pytest.raises(UserError, match="Cannot create the run folder"):
        created("", out=tmp_path / "deep" / "thesis.txt")
    assert (tmp_path / "deep" / "thesis.txt").read_text() == "mine"


def test_run_folders_are_numbered_and_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [created("a-b").name for _ in range(2)] == ["a-b-001", "a-b-002"]
    out = tmp_path / "mine"
    created("x", out=out)
    (out / "recipe.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="--overwrite"):
        created("x", out=out)
    created("x", overwrite=True, out=out)


@pytest.mark.parametrize(
    "name", [".recipe.yaml.4711", ".17-7f00a1-5f3.yaml", ".17-7f00a1--5f3.yaml"]
)
def test_a_start_that_was_killed_or_met_a_full_disk_can_be_repeated(name, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / name).write_text("seed: 0")
    assert created("", out=tmp_path) == tmp_path
    assert not (tmp_path / name).exists()
    assert created("", out=tmp_path) == tmp_path  # the file that names the writer is not in the way


def test_a_list_that_was_changed_keeps_a_run_from_being_replaced(tmp_path):
    paths = RunPaths(tmp_path)
    paths.recipe.write_text("")
    own, file = OwnFiles(paths.rank), paths.rank / "to_label.txt"
    own.write_text(file, "a\n")
    file.write_text("b\n")
    with pytest.raises(UserError, match="to_label.txt was changed since fewmask wrote it"):
        created("", overwrite=True, out=tmp_path)
    file.write_text("a\n")
    created("", overwrite=True, out=tmp_path)
    assert not paths.rank.exists()


def test_a_run_that_is_being_written_is_not_replaced(tmp_path):
    paths = RunPaths(tmp_path)
    paths.recipe.write_text("")
    paths.results.write_text("step")
    with one_writer(tmp_path), pytest.raises(UserError, match="is being written by another"):
        created("", overwrite=True, out=tmp_path)
    assert paths.results.read_text() == "step"


def test_a_run_is_not_replaced_behind_links(tmp_path):
    paths, mine = RunPaths(tmp_path / "run"), tmp_path / "mine"
    paths.folder.mkdir()
    mine.mkdir()
    paths.recipe.write_text("")
    link(paths.plots, paths.folder)  # inside: it goes like any file
    link(paths.last.parent, mine)
    with pytest.raises(UserError, match="weights is a link to .*mine, where the new run would"):
        created("", overwrite=True, out=paths.folder)
    assert not [*mine.iterdir()]
    paths.last.parent.unlink()
    created("", overwrite=True, out=paths.folder)
    assert not paths.plots.is_symlink()
