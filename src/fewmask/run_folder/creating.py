"""Creates the folder of a new run, without ever touching files that fewmask did not write."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fewmask.atomic import is_leftover
from fewmask.data.own_files import OwnFiles, links_out
from fewmask.errors import UserError
from fewmask.run_folder.lock import one_writer
from fewmask.run_folder.paths import RunPaths


@contextmanager
def new_run_folder(name: str, overwrite: bool = False, out: Path | None = None) -> Iterator[Path]:
    """The folder of a new run: `out`, or the first free of runs/NAME-001, runs/NAME-002 ...

    No other process can write to it inside this context.

    Args:
        name: the start of the folder's name, if `out` is not given.
        overwrite: whether to replace a run that `out` holds.
        out: the folder; by default a new one under `runs/`.

    Raises:
        UserError: if `out` already holds a run and `overwrite` is not set, or holds other files,
            or another process writes to it.
    """
    if out is None:
        out = _create_free(Path("runs"), name)
    _require_own(out, overwrite)
    _create(RunPaths(out).last.parent)
    with one_writer(out):
        _require_own(out, overwrite)  # another process may have made a run here meanwhile
        _require_unchanged(RunPaths(out))
        _remove_leftovers(out)
        yield out


def _require_own(out: Path, overwrite: bool) -> None:
    """Refuses a folder that holds something else than a run to replace."""
    paths = RunPaths(out)
    for name, target in links_out(out).items():
        raise UserError(
            f"{out / name} is a link to {target}, where the new run would change files. Remove the "
            "link, or choose another folder."
        )
    if paths.recipe.exists() and not overwrite:
        raise UserError(
            f"{out} already holds a run. Choose another folder, continue the run with --resume "
            f"{out}, or replace it with --overwrite."
        )
    # Empty folders are fine, and so is what a run leaves that was killed in its first moment.
    files = (file for file in out.rglob("*") if file.is_file())
    if not paths.recipe.exists() and any(
        file != paths.writer and not is_leftover(file) for file in files
    ):
        raise UserError(f"{out} holds other files and no run. Choose an empty or a new folder.")


def _require_unchanged(paths: RunPaths) -> None:
    """Refuses to replace a run in which a person has changed a list, a chart or a report."""
    # An older version wrote no notes; what it left is taken for its own.
    for noted, kept in (
        (paths.folder, [paths.report, *paths.plots.glob("*")]),
        (paths.rank, paths.rank.glob("*.*")),
    ):
        own = OwnFiles(noted)
        if own.notes.is_file():
            own.require_free(*(file for file in kept if file != own.notes))


def _create_free(parent: Path, name: str) -> Path:
    """Creates the first folder that is not there; two processes never get the same one."""
    number = 1
    while not _create(folder := parent / f"{name}-{number:03d}", exist_ok=False):
        number += 1
    return folder


def _create(folder: Path, exist_ok: bool = True) -> bool:
    """Creates a folder; false if it must not exist, but does."""
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and not exist_ok:
            return False
        raise UserError(f"Cannot create the run folder {folder}: {error.strerror}.") from None
    return True


def _remove_leftovers(folder: Path) -> None:
    """Removes what an earlier run, or one that was killed at its start, has left."""
    killed = [file for file in folder.iterdir() if is_leftover(file)]
    for old in (*RunPaths(folder).leftovers, *killed):
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
