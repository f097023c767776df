"""Creates the folder of a new run, without ever touching files that fewmask did not write."""

import shutil
from pathlib import Path

from fewmask.errors import UserError
from fewmask.run_folder.paths import RunPaths


def new_run_folder(name: str, overwrite: bool = False, out: Path | None = None) -> Path:
    """Creates the folder of a new run: `out`, or the first free of runs/NAME-001, runs/NAME-002 ...

    Args:
        name: the start of the folder's name, if `out` is not given.
        overwrite: whether to replace a run that `out` holds.
        out: the folder; by default a new one under `runs/`.

    Returns:
        The folder.

    Raises:
        UserError: if `out` already holds a run and `overwrite` is not set, or holds other files.
    """
    if out is None:
        out = _first_free(Path("runs"), name)
    holds_run = RunPaths(out).recipe.exists()
    if holds_run and not overwrite:
        raise UserError(
            f"{out} already holds a run. Choose another folder, continue the run with --resume "
            f"{out}, or replace it with --overwrite."
        )
    # Empty folders are fine: a run that was killed in its first moment leaves some.
    if not holds_run and any(file.is_file() for file in out.rglob("*")):
        raise UserError(f"{out} holds other files and no run. Choose an empty or a new folder.")
    _create(out)
    if holds_run:
        _remove_leftovers(out)
    return out


def _first_free(parent: Path, name: str) -> Path:
    number = 1
    while (folder := parent / f"{name}-{number:03d}").exists():
        number += 1
    return folder


def _create(folder: Path) -> None:
    try:
        RunPaths(folder).last.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot create the run folder {folder}: {error.strerror}.") from None


def _remove_leftovers(folder: Path) -> None:
    for old in RunPaths(folder).leftovers:
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
