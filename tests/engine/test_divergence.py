"""A run whose numbers are no longer finite ends with what to try."""

import pytest
import torch

from fewmask.engine.divergence import refuse_nan, refuse_nan_weights
from fewmask.errors import UserError
from fewmask.methods.supervised import Supervised


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_first_bad_value_is_named(value):
    refuse_nan({"loss_labeled": 0.1, "lr": 0.0}, 7)
    with pytest.raises(UserError, match=f"loss_labeled is {value} at step 7.*training.clip_norm=1"):
        refuse_nan({"lr": 0.1, "loss_labeled": value}, 7)


def test_a_bad_weight_is_found(student):
    method = Supervised(lambda: student, Supervised.Config(name="supervised"))
    refuse_nan_weights(method, 3)
    with torch.no_grad():
        next(student.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(UserError, match="a weight is nan at step 3"):
        refuse_nan_weights(method, 3)
