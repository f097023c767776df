"""Run folders and checkpoints: saved atomically, resumed exactly, loaded without running code."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fewmask.atomic import replacing
from fewmask.errors import UserError
from fewmask.run_folder.paths import RunPaths

FORMAT = 1  # of checkpoint files; goes up when their content changes


def save(content: dict[str, Any], file: Path) -> None:
    """Writes a checkpoint; a kill at any moment leaves the old file or the new one, whole.

    Raises:
        UserError: if there is no room for it.
    """
    temporary = file.with_name(file.name + ".tmp")
    try:
        with replacing(file, temporary), temporary.open("wb") as stream:
            torch.save({"format": FORMAT, **content}, stream)
            stream.flush()
            os.fsync(stream.fileno())
    except (OSError, RuntimeError) as error:  # torch hides the first behind the second
        reason = error.__context__ if isinstance(error.__context__, OSError) else error
        raise UserError(
            f"Cannot write the checkpoint {file}: {reason}. The one before it is whole: make room, "
            f"then go on with fewmask train --resume {file.parent.parent}"
        ) from error


def load(file: Path, *needed: str) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU; plain tensors and values only.

    Args:
        file: to read.
        needed: what must be in it.

    Raises:
        UserError: if it is missing, damaged, of another format, or lacks what is needed.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(
            f"There is no checkpoint {file}. Was the run stopped before its first one?"
        ) from None
    except Exception as error:  # torch, pickle and zip fail in a dozen ways on damaged bytes
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(
            f"Cannot read the checkpoint {file}: {reason}. It is damaged or not one of ours; "
            "restore it, or train again."
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{file} is not a fewmask checkpoint of format {FORMAT}. It was written by another "
            "program or another version."
        )
    if "class_colours" in content:  # the key that versions before 0.2 wrote
        content["class_colors"] = content.pop("class_colours")
    missing = [key for key in needed if key not in content]
    if missing:
        raise UserError(
            f"{file} lacks '{missing[0]}'. A last.pt goes on with a run, a best.pt holds one "
            "network for prediction; this is the other one, or damaged."
        )
    return content


def fill(network: nn.Module, weights: dict[str, Any], file: Path) -> None:
    """Loads weights that came from a file.

    Raises:
        UserError: if they do not fit.
    """
    try:
        network.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"The weights in {file} do not fit this network: {str(error)[:300]}. They are of "
            "another recipe, or damaged."
        ) from None


def new_run_folder(name: str, overwrite: bool = False, out: Path | None = None) -> Path:
    """Makes the folder of a new run: `out`, or the first free of runs/NAME-001, runs/NAME-002, ...

    Raises:
        UserError: if `out` already holds a run and `overwrite` is not set, or holds anything else.
    """
    if out is not None:
        holds_run = (out / "recipe.yaml").exists()
        if holds_run and not overwrite:
            raise UserError(
                f"{out} already holds a run. Choose another folder, continue it with --resume "
                f"{out}, or replace it with --overwrite."
            )
        if not holds_run and any(file.is_file() for file in out.rglob("*")):
            raise UserError(f"{out} holds other files, and no run. Choose a folder of its own.")
        _make(out)
        for old in RunPaths(out).leftovers if holds_run else ():
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
        return out
    number = 1
    while (folder := Path("runs") / f"{name}-{number:03d}").exists():
        number += 1
    _make(folder)
    return folder


def _make(folder: Path) -> None:
    try:
        (folder / "weights").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the run folder {folder}: {error.strerror}.") from None
