"""What `best.pt` holds as a .safetensors file: weights, and the rest as JSON in its header."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from fewmask.atomic import parse_json
from fewmask.errors import UserError
from fewmask.run_folder.checkpoint import FORMAT

SUFFIX = ".safetensors"
HEADER = "fewmask"
"""The entry of the header that holds everything but the weights."""
CHECKSUM = "weights_sha256"
"""The key of their digest: the format itself has no checksum."""


def save(content: dict[str, Any], file: Path) -> None:
    """Writes weights and plain values.

    Args:
        content: as in a `best.pt`.
        file: to write.
    """
    plain = {key: value for key, value in content.items() if key != "weights"}
    # The format knows no shared memory, which tied weights and channels-last ones may have.
    weights = {name: x.contiguous().clone() for name, x in content["weights"].items()}
    facts = {"format": FORMAT, CHECKSUM: _digest(weights), **plain}
    packed = to_bytes(weights, {HEADER: json.dumps(facts), "format": "pt"})
    file.write_bytes(packed)  # a full disk is an OSError then


def load(file: Path, *needed: str) -> dict[str, Any]:
    """Reads what `save` wrote, to the CPU.

    Args:
        file: to read.
        needed: keys that must be there.

    Raises:
        UserError: if the file is missing, damaged or of another program.
    """
    if not file.is_file():
        raise UserError(f"There is no file {file}. Write one with fewmask export RUN.")
    try:
        with safe_open(file, "pt") as opened:
            content = parse_json((opened.metadata() or {}).get(HEADER, "{}"))
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise UserError(f"Cannot read {file}: {error}. Export the run again.") from None
    found = {**content, "weights": weights} if isinstance(content, dict) else {}
    if found.pop(CHECKSUM, None) not in (None, _digest(weights)):
        raise UserError(
            f"{file} is damaged: the checksum of its weights is wrong. Export the run again."
        )
    if found.get("format") != FORMAT or any(key not in found for key in needed):
        raise UserError(
            f"{file} holds weights, but not what fewmask export writes beside them: settings of "
            "the model, classes. Export the run again."
        )
    return found


def _digest(weights: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        numbers = weights[name].contiguous().reshape(-1).view(torch.uint8)  # NumPy has no bfloat16
        digest.update(numbers.numpy().tobytes())
    return digest.hexdigest()
