""" "Same" padding depends on the size of an image; the gradients are torch's at each."""

from itertools import product

import pytest
import torch
from torch import nn

from fewmask.models.encoders.depthwise_same import FastDepthwiseSame
from fewmask.models.encoders.timm_import import import_timm
from tests.models.encoders.test_depthwise import SIZES, fast, gradients, images

Conv2dSame = import_timm().layers.Conv2dSame


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("step", [(1, 1), (2, 1), (1, 2)])
def test_gradients_are_torchs(kernel, step):
    stride, dilation = step
    torch.manual_seed(0)
    for size, bias in product(SIZES, [True, False]):
        plain = Conv2dSame(6, 6, kernel, stride, 0, dilation, 6, bias).double()
        layer = fast(plain)
        assert isinstance(layer, FastDepthwiseSame) and isinstance(layer, Conv2dSame)
        for image in images(size):
            both = zip(gradients(plain, image), gradients(layer, image), strict=True)
            for theirs, ours in both:
                torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_the_layer_of_a_trained_network_is_exported_as_a_plain_convolution():
    layer = fast(Conv2dSame(4, 4, 5, 2, groups=4)).eval()
    image = torch.randn(1, 4, 9, 8)
    traced = torch.jit.trace(nn.Sequential(layer), image)
    assert "PythonOp" not in str(traced.inlined_graph)
    assert torch.equal(traced(image), layer(image))
