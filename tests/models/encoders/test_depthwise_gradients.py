"""The gradients of depthwise convolutions, written with what is fast."""

import pytest
import torch

from fewmask.models.encoders.depthwise_gradients import Geometry, convolve, phases


@pytest.mark.parametrize(
    ("kernel", "geometry"),
    [
        ((3, 3), Geometry((1, 1), (1, 1), (1, 1))),
        ((5, 5), Geometry((2, 2), (2, 2), (1, 1))),
        ((5, 3), Geometry((1, 2), (2, 0), (2, 1))),
    ],
)
def test_gradients_are_those_of_finite_differences(kernel, geometry):
    torch.manual_seed(0)
    image = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 1, *kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert geometry.is_supported(kernel)
    assert torch.autograd.gradcheck(
        lambda *tensors: convolve(*tensors, geometry), (image, weight, bias)
    )


def test_phases_lie_side_by_side_along_the_batch():
    image = torch.arange(24.0).reshape(1, 1, 4, 6)
    parts = phases(image, (2, 3))
    assert parts.shape == (6, 1, 2, 2)
    assert torch.equal(parts[0, 0], image[0, 0, ::2, ::3])
    assert torch.equal(parts[5, 0], image[0, 0, 1::2, 2::3])
