"""Exact sums, products in float32, and weights that are cast once."""

from contextlib import nullcontext

import torch
from torch import nn

from fewmask.parts.precision import exact_float, full_precision, shared_casts


def test_products_stay_in_their_own_precision_inside_autocast():
    x = torch.randn(3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        with full_precision(x):
            assert (x @ x).dtype == torch.float32
        assert (x @ x).dtype == torch.bfloat16


def test_a_device_without_autocast_needs_nothing():
    with full_precision(torch.empty(2, device="meta")):
        assert not torch.is_autocast_enabled("cpu")


def test_sums_are_exact_where_the_device_can():
    assert exact_float(torch.device("cpu")) == torch.float64
    assert exact_float(torch.device("mps")) == torch.float32


def test_gradients_of_calls_that_share_a_cast_are_added_in_bf16():
    layer, x = nn.Linear(64, 1, bias=False), torch.rand(1, 64)

    def gradient(context) -> torch.Tensor:
        with context():
            with torch.autocast("cpu", torch.bfloat16):
                first = layer(x)
            with torch.autocast("cpu", torch.bfloat16):
                second = layer(x / 3)
        return torch.autograd.grad((first + second).sum(), layer.weight)[0]

    shared, apart = gradient(shared_casts), gradient(nullcontext)
    assert torch.equal(shared, shared.bfloat16().float())
    assert not torch.equal(apart, apart.bfloat16().float())


def test_the_cache_is_empty_after_the_context():
    layer, x = nn.Linear(4, 4, bias=False), torch.rand(2, 4)
    with shared_casts(), torch.autocast("cpu", torch.bfloat16):
        before = layer(x)
    with torch.no_grad():
        layer.weight.zero_()
    with torch.autocast("cpu", torch.bfloat16):
        assert before.abs().sum() > 0 and layer(x).abs().sum() == 0
