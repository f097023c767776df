"""TorchScript files: a recording of the network that libtorch and PyTorch run without our code."""

import json
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fewmask.errors import UserError
from fewmask.evaluation.export.card import Card, from_strings, to_strings
from fewmask.evaluation.export.plain import PlainNetwork

CARD = "card.json"
"""The name of the card inside the file, as `torch.jit.load(..., _extra_files=...)` wants it."""


def write(network: PlainNetwork, card: Card, example: Tensor, file: Path) -> None:
    """Writes a recording of the network.

    Args:
        network: to record.
        card: is stored as JSON beside it.
        example: uint8 [B, H, W, C] to record with.
        file: to write.
    """
    with warnings.catch_warnings(), torch.no_grad():
        # That shapes may become constants: it is checked at other sizes, not guessed.
        warnings.simplefilter("ignore")
        recorded = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        content = BytesIO()
        torch.jit.save(recorded, content, _extra_files={CARD: json.dumps(to_strings(card))})
    file.write_bytes(content.getbuffer())  # a full disk is an OSError then


class TorchScriptFile:
    """An opened TorchScript file of ours.

    Args:
        file: written by `fewmask export`.

    Raises:
        UserError: if it cannot be read.
    """

    def __init__(self, file: Path):
        extra = {CARD: ""}
        try:
            self.network = torch.jit.load(str(file), "cpu", _extra_files=extra)  # type: ignore[no-untyped-call]
            strings = json.loads(extra[CARD])
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0][:200]
            raise UserError(f"{file} is no TorchScript file of ours: {reason}.") from None
        self.card = from_strings(strings, file)

    @torch.no_grad()
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Logits, float32 [B, K, H, W], of images, uint8 [B, H, W, C]."""
        logits: Tensor = self.network(torch.tensor(images))[2]
        return logits.numpy()
