"""Ends a run whose numbers are no longer finite, before its last good checkpoint is replaced."""

import math
from collections.abc import Mapping

import torch

from fewmask.errors import UserError
from fewmask.methods import Method


def refuse_nan(values: Mapping[str, float], step: int) -> None:
    """Checks that logged values are finite.

    Raises:
        UserError: naming the first value that is not.
    """
    for name, value in values.items():
        if not math.isfinite(value):
            raise UserError(
                f"{name} is {value} at step {step}: training has diverged. Try a lower "
                "training.lr, training.clip_norm=1, training.warmup_steps, or "
                "training.precision=fp32."
            )


def refuse_nan_weights(method: Method, step: int) -> None:
    """Checks that all weights of a method are finite.

    A loss shows a broken weight one step late; by then the last good checkpoint would be gone.

    Raises:
        UserError: if a weight is not.
    """
    norms = torch._foreach_norm([p.detach() for p in method.parameters()])
    refuse_nan({"a weight": float(torch.stack(norms).sum())}, step)
