"""The fast backward pass of depthwise convolutions gives torch's gradients, only sooner."""

import copy
import pickle
from itertools import product

import pytest
import torch
from torch import nn

from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.depthwise import (
    FastDepthwise,
    FastDepthwiseSame,
    speed_up_depthwise,
)
from fewmask.models.encoders.timm_import import import_timm

Conv2dSame = import_timm().layers.Conv2dSame
SIZES = [(11, 14), (22, 19), (16, 9), (3, 2), (1, 1)]
STEPS = [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3), ((1, 2), (2, 1))]
"""Stride and dilation."""


def fast(layer):
    """A copy of a layer with the fast backward pass."""
    twin = nn.Sequential(copy.deepcopy(layer))
    speed_up_depthwise(twin)
    assert isinstance(twin[0], FastDepthwise)
    return twin[0]


def gradients(layer, image):
    """Output, and gradients of the image and of the weights, for a fixed gradient of the output."""
    image = image.clone().requires_grad_()
    output = layer(image)
    toward = torch.randn(output.shape, generator=torch.Generator().manual_seed(2)).to(output)
    return output, *torch.autograd.grad(output, (image, *layer.parameters()), toward)


def images(size, channels=6, dtype=torch.float64):
    """The same images in channels-last and in contiguous order."""
    plain = torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(1)).to(dtype)
    return plain.contiguous(memory_format=torch.channels_last), plain


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("kernel", [3, 5, 7, (3, 5), (5, 2)], ids=str)
def test_gradients_are_torchs(kernel, step):
    stride, dilation = step
    torch.manual_seed(0)
    compared = 0
    for padding, size, bias in product([0, 1, 2, (2, 1)], SIZES, [True, False]):
        plain = nn.Conv2d(6, 6, kernel, stride, padding, dilation, 6, bias).double()
        if any(
            n + 2 * p < d * (k - 1) + 1 or p > d * (k - 1)
            for n, k, p, d in zip(
                size, plain.kernel_size, plain.padding, plain.dilation, strict=True
            )
        ):
            continue
        for image in images(size):
            both = zip(gradients(plain, image), gradients(fast(plain), image), strict=True)
            for theirs, ours in both:
                torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
            compared += 1
    assert compared > 4


def test_a_layer_in_float32_is_as_exact_as_torchs():
    torch.manual_seed(0)
    for kernel, stride, dilation in [(3, 2, 1), (5, 1, 2), (5, 2, 1), (7, 1, 1)]:
        padding = dilation * (kernel // 2)
        plain = nn.Conv2d(40, 40, kernel, stride, padding, dilation, 40, bias=False)
        image = images((19, 18), 40, torch.float32)[0]
        exact = gradients(copy.deepcopy(plain).double(), image.double())
        for ours, truth in zip(gradients(fast(plain), image), exact, strict=True):
            torch.testing.assert_close(ours.double(), truth, rtol=1e-4, atol=1e-4)


def test_autocast_is_followed():
    torch.manual_seed(0)
    for plain in (nn.Conv2d(32, 32, 5, 2, 2, 1, 32), nn.Conv2d(32, 32, 3, 1, 2, 2, 32)):
        image = images((13, 12), 32, torch.float32)[0]
        with torch.autocast("cpu", torch.bfloat16):
            theirs, ours = gradients(plain, image), gradients(fast(plain), image)
        assert ours[0].dtype == torch.bfloat16 and torch.equal(ours[0], theirs[0])
        # Gradients reach the float32 tensors that autocast has cast, as torch's do.
        assert all(gradient.dtype == torch.float32 for gradient in ours[1:])
        exact = gradients(plain.double(), image.double())
        for our, truth in zip(ours[1:], exact[1:], strict=True):
            scale = truth.abs().max().item()
            torch.testing.assert_close(our.double(), truth, rtol=0, atol=0.02 * scale)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_gradients_come_out_every_time(threads, dtype):
    layer = fast(nn.Conv2d(48, 48, 5, 1, 4, 2, 48)).to(dtype)
    image, before = images((20, 17), 48, dtype)[0], torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        first = gradients(layer, image)
        for _ in range(3):
            assert all(map(torch.equal, first, gradients(layer, image)))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("encoder", ["mobilenetv3_small_100", "tf_efficientnet_lite0"])
def test_a_network_keeps_names_and_results(encoder, monkeypatch):
    config = ModelConfig(encoder=encoder, pretrained=False, output_stride=16)
    torch.manual_seed(0)
    ours = create_model(config, 3)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.manual_seed(0)
    plain = create_model(config, 3)
    assert not any(isinstance(layer, FastDepthwise) for layer in plain.modules())
    assert sum(isinstance(layer, FastDepthwise) for layer in ours.modules()) >= 11
    assert ours.state_dict().keys() == plain.state_dict().keys()
    # In eval mode, where BatchNorm does not enlarge rounding errors.
    image = torch.randn(1, 3, 33, 33)
    assert torch.equal(ours.eval()(image).logits, plain.eval()(image).logits)


def test_copies_and_pickles_stay_fast():
    layer = fast(nn.Conv2d(4, 4, 3, 1, 1, 1, 4))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert isinstance(twin, FastDepthwise) and isinstance(twin, nn.Conv2d)
        assert torch.equal(twin.weight, layer.weight) and twin.weight is not layer.weight


def test_other_layers_stay_as_they_are():
    layers = [
        nn.Conv2d(4, 8, 3, groups=4),  # two outputs for each input
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(1, 1, 3),
        nn.Conv2d(4, 4, 3, groups=4, padding="same"),
        nn.Conv2d(4, 4, 3, groups=4, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 4, 3, groups=4),
    ]
    network = nn.Sequential(*layers)
    kinds = [type(layer) for layer in network]
    speed_up_depthwise(network)
    assert [type(layer) for layer in network] == kinds


@pytest.mark.parametrize("options", [{"padding": 3}, {"stride": 2, "dilation": 2}])
def test_what_is_not_supported_is_left_to_torch(options):
    layer, image = fast(nn.Conv2d(4, 4, 3, groups=4, **options)), torch.randn(1, 4, 8, 8)
    assert "Convolution" in type(layer(image).grad_fn).__name__


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_network_without_a_backward_pass_is_computed_by_a_plain_convolution():
    layer, image = fast(nn.Conv2d(4, 4, 5, 1, 2, 1, 4)), torch.randn(1, 4, 8, 8)
    assert "Depthwise" in type(layer(image).grad_fn).__name__
    assert "Convolution" in type(layer.eval()(image).grad_fn).__name__
    traced = torch.jit.trace(layer, image)
    assert "aten::_convolution" in str(traced.graph) and "PythonOp" not in str(traced.graph)
    assert torch.equal(torch.jit.script(layer)(image), layer(image))
    targets = [str(n.target) for n in torch.export.export(layer, (image,)).graph.nodes]
    assert any("conv2d" in target for target in targets)


def test_frozen_weights_need_no_gradient():
    layer, image = (
        fast(nn.Conv2d(4, 4, 5, 1, 2, 1, 4)).requires_grad_(False),
        torch.randn(1, 4, 8, 8),
    )
    assert not layer(image).requires_grad
    layer(image.requires_grad_()).sum().backward()
    assert image.grad is not None and layer.weight.grad is None


def test_a_layer_is_compiled_in_one_graph():
    layer, image = fast(nn.Conv2d(4, 4, 5, 1, 4, 2, 4)), torch.randn(1, 4, 8, 8)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    try:
        both = zip(gradients(layer, image), gradients(compiled, image), strict=True)
        assert all(torch.allclose(one, two, atol=1e-5) for one, two in both)
    finally:
        torch.compiler.reset()


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("step", [(1, 1), (2, 1), (1, 2)])
def test_gradients_with_same_padding_are_torchs(kernel, step):
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


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_the_layer_of_a_trained_network_is_exported_as_a_plain_convolution():
    layer = fast(Conv2dSame(4, 4, 5, 2, groups=4)).eval()
    image = torch.randn(1, 4, 9, 8)
    traced = torch.jit.trace(nn.Sequential(layer), image)
    assert "PythonOp" not in str(traced.inlined_graph)
    assert torch.equal(traced(image), layer(image))
