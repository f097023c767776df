"""Checkpoints: written completely or not at all, and read without running code in the file."""

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fewmask.atomic import obstacle, replacing
from fewmask.errors import UserError

FORMAT = 1
"""Version of the format of checkpoint files."""
MOST_PARTS, DEEPEST = 1_000_000, 50
"""Values and tensors in a checkpoint, and how deep they are nested; ours have far fewer."""
OLD_KEYS = {"class_colours": "class_colors"}
"""Keys of version 0.1, and their names today."""


def save(content: dict[str, Any], file: Path) -> None:
    """Writes a checkpoint. A kill at any moment leaves the old file or the new one, complete.

    Raises:
        UserError: if the file cannot be written, for example because the disk is full.
    """
    # A fixed name: however often a run is killed here, one file is left, and the next save
    # overwrites it.
    temporary = file.with_name(file.name + ".tmp")
    try:
        with replacing(file, temporary), temporary.open("wb") as stream:
            torch.save({"format": FORMAT, **content}, stream)
            stream.flush()
            # On disk before the rename: a power cut must not leave an empty file.
            os.fsync(stream.fileno())
    except (OSError, RuntimeError) as error:  # torch wraps an OSError in a RuntimeError
        reason = error.__context__ if isinstance(error.__context__, OSError) else error
        raise UserError(
            f"Cannot write the checkpoint {file}: {reason}. The previous one is intact. Make room, "
            f"then continue with fewmask train --resume {file.parent.parent}"
        ) from error


KINDS = {"step": int, "best": dict, "minimizer": dict, "model": dict}
"""What the parts of a checkpoint are, if it has them."""


def load(file: Path, *needed: str) -> dict[str, Any]:
    """Reads a checkpoint to the CPU. It may hold only plain tensors and values.

    Args:
        file: to read.
        needed: keys that the checkpoint must have.

    Raises:
        UserError: if it is missing, damaged, of another format, or lacks a needed key.
    """
    content = _read(file)
    # A tensor in its place has no truth value.
    given = content.get("format") if isinstance(content, dict) else None
    if not isinstance(given, int) or given != FORMAT:
        raise UserError(
            f"{file} is not a fewmask checkpoint of format {FORMAT}. Another program or another "
            "version wrote it."
        )
    content = {OLD_KEYS.get(key, key): value for key, value in content.items()}
    missing = [key for key in needed if key not in content]
    if missing:
        raise UserError(
            f"{file} lacks '{missing[0]}'. A last.pt continues a run; a best.pt holds one network "
            "for prediction. This file is the other one, or damaged."
        )
    for key, kind in KINDS.items():
        if not isinstance(content.get(key, kind()), kind):
            raise UserError(
                f"{file} is damaged: its '{key}' is a {type(content[key]).__name__}. Restore the "
                "file, or train again."
            )
    return content


def _read(file: Path) -> Any:
    """Whatever a file of torch holds, if it is plain."""
    if not file.is_dir() and (reason := obstacle(file)):
        raise UserError(f"{file} is no checkpoint: {reason}. Give another file.")
    try:
        _require_intact(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
        _require_plain(content)
        return content
    except IsADirectoryError:
        raise UserError(
            f"{file} is a folder, not a checkpoint. In a run folder: weights/best.pt or "
            "weights/last.pt."
        ) from None
    except pickle.UnpicklingError:  # torch would go on to advise loading it unsafely
        raise _unreadable(file, "it holds more than plain tensors and values") from None
    except FileNotFoundError:
        raise UserError(
            f"There is no checkpoint {file}. Check the path; a run that stopped early has none."
        ) from None
    except Exception as error:  # torch, pickle and zip fail in a dozen ways on damaged bytes
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        reason = "its format is another one" if "weights_only" in reason else reason
        raise _unreadable(file, reason) from None


def _unreadable(file: Path, reason: str) -> UserError:
    return UserError(
        f"Cannot read the checkpoint {file}: {reason}. It is damaged, or was not written by "
        "fewmask. Restore it, or train again."
    )


def _require_intact(file: Path) -> None:
    """Compares the checksums that every part of a file has, which torch does not look at."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as opened:
            # torch compresses nothing, so that more would be a small file that fills the memory.
            if sum(part.file_size for part in opened.infolist()) > file.stat().st_size:
                raise zipfile.BadZipFile("its parts are larger than the file")
            if (damaged := opened.testzip()) is not None:
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")


def _require_plain(content: Any) -> None:
    """Refuses what has no end: parts in parts in parts, and tensors of more than is in the file."""
    waiting, count = [(content, 0)], 0
    while waiting:
        one, depth = waiting.pop()
        count += 1
        if count > MOST_PARTS or depth > DEEPEST:
            raise ValueError("it has parts in parts without an end")
        if isinstance(one, (Mapping, list, tuple)):
            inner = one.values() if isinstance(one, Mapping) else one
            waiting += [(part, depth + 1) for part in inner]
        elif isinstance(one, torch.Tensor) and not _is_plain(one):
            raise ValueError("it holds a tensor without its numbers")


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor has all of its numbers; a small one may repeat them."""
    if tensor.layout != torch.strided:
        return True  # sparse: load_state_dict compares its shape
    size = tensor.numel() * tensor.itemsize
    return tensor.device.type == "cpu" and size <= max(tensor.untyped_storage().nbytes(), 1 << 20)


def fill(network: nn.Module, weights: dict[str, Any], file: Path) -> None:
    """Loads weights into a network.

    Args:
        network: to fill.
        weights: by the names of the network's parameters and buffers.
        file: that the weights come from, for the message.

    Raises:
        UserError: if they do not fit, or are not numbers.
    """
    _require_numbers(weights, file)
    try:
        network.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"The weights in {file} do not fit this network: {_difference(network, weights)}. They "
            "come from another recipe (model.encoder, model.decoder ...), or the file is damaged."
        ) from error


def _require_numbers(weights: Any, file: Path) -> None:
    """Refuses weights with which every prediction would be class 0. Training never saves any."""
    for name, value in weights.items() if isinstance(weights, Mapping) else ():
        is_dense = isinstance(value, torch.Tensor) and value.layout == torch.strided
        if is_dense and value.is_complex():
            raise UserError(f"{file} is damaged: {name} is complex. Restore it, or train again.")
        if is_dense and value.is_floating_point() and not value.float().isfinite().all():
            kind = "not a number (NaN)" if value.isnan().any() else "infinite"
            raise UserError(
                f"{file} is damaged: {name} is {kind}. Restore the file, or train again."
            )


def _difference(network: nn.Module, weights: Any) -> str:
    """The first weight that does not fit, in words."""
    if not isinstance(weights, Mapping):
        return f"they are a {type(weights).__name__}"
    own = network.state_dict()
    for name, value in own.items():
        if name not in weights:
            return f"{name} is missing"
        if getattr(weights[name], "shape", None) != getattr(value, "shape", None):
            shapes = (list(getattr(x, "shape", ())) for x in (weights[name], value))
            return "{} has the shape {} there, and {} here".format(name, *shapes)
    extra = [name for name in weights if name not in own]
    return f"{extra[0]} does not exist here" if extra else "they are of another kind"
