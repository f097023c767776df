"""Layers whose padding follows the size get a fixed one, which is right for all sizes to come."""

import copy

import pytest
import torch
from torch import nn

from fewmask.evaluation.export.same_padding import fix_same_padding
from fewmask.models.encoders.timm_import import import_timm

Conv2dSame = import_timm().layers.Conv2dSame


def layers():
    torch.manual_seed(0)
    return nn.Sequential(
        Conv2dSame(3, 4, 3, stride=2),
        nn.Sequential(Conv2dSame(4, 4, (5, 3), stride=2, groups=4), nn.ReLU()),
        Conv2dSame(4, 5, 3, dilation=2),
        nn.Conv2d(5, 5, 3, padding=1),
    )


@pytest.mark.parametrize("remainder", [0, 1, 2, 3])
def test_results_are_equal_at_all_sizes_of_one_remainder(remainder):
    network = layers()
    fixed = copy.deepcopy(network)
    fix_same_padding(fixed, 3, 16 + remainder)
    assert not any(isinstance(layer, Conv2dSame) for layer in fixed.modules())
    for height, width in ((8 + remainder, 28 + remainder), (40 + remainder, 12 + remainder)):
        image = torch.randn(1, 3, height, width)
        torch.testing.assert_close(fixed(image), network(image))


def test_other_networks_are_not_even_run():
    fix_same_padding(nn.Linear(2, 2), 3, 16)  # an image would not fit
