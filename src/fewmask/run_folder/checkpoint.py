"""Checkpoints: written whole, read without running any code that a file may hold."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fewmask.atomic import replacing
from fewmask.errors import UserError

FORMAT = 1  # of checkpoint files; goes up when their content changes
OLD_KEYS = {"class_colours": "class_colors"}
"""Keys that version 0.1 wrote, and what they are called now."""


def save(content: dict[str, Any], file: Path) -> None:
    """Writes a checkpoint. A kill at any moment leaves the old file or the new one, whole.

    Raises:
        UserError: if there is no room for it.
    """
    # A fixed name: however often a run is killed here, one file is left, and the next save uses it.
    temporary = file.with_name(file.name + ".tmp")
    try:
        with replacing(file, temporary), temporary.open("wb") as stream:
            torch.save({"format": FORMAT, **content}, stream)
            stream.flush()
            os.fsync(stream.fileno())
    except (OSError, RuntimeError) as error:  # torch raises a RuntimeError from the OSError
        reason = error.__context__ if isinstance(error.__context__, OSError) else error
        raise UserError(
            f"Cannot write the checkpoint {file}: {reason}. The one before it is whole: make room, "
            f"then continue with fewmask train --resume {file.parent.parent}"
        ) from error


def load(file: Path, *needed: str) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU; plain tensors and values only.

    Args:
        file: to read.
        needed: keys that must be in it.

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
            f"Cannot read the checkpoint {file}: {reason}. It is damaged, or fewmask did not write "
            "it. Restore it, or train again."
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{file} is not a fewmask checkpoint of format {FORMAT}. Another program or another "
            "version wrote it."
        )
    content = {OLD_KEYS.get(key, key): value for key, value in content.items()}
    missing = [key for key in needed if key not in content]
    if missing:
        raise UserError(
            f"{file} lacks '{missing[0]}'. A last.pt continues a run, a best.pt holds one network "
            "for prediction. This is the other one, or damaged."
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
            f"The weights in {file} do not fit this network: {str(error)[:300]}. They come from "
            "another recipe, or the file is damaged."
        ) from None
