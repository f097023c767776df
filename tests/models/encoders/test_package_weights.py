"""The weights of the packages under timm's names, and the network they were made for."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from fewmask.models.encoders.package_weights import PACKAGES, package_file, package_of, timm_names
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.timm_import import import_timm
from fewmask.models.encoders.weights import read_weights
from tests.models.encoders.hubs import package_names, without_packages


@pytest.mark.parametrize("encoder", PACKAGES)
def test_every_tensor_gets_a_name_of_timm_and_its_shape(encoder):
    own = import_timm().create_model(encoder).state_dict()
    named = timm_names(package_names(own), own)
    assert list(named) == list(own)
    assert all(torch.equal(named[name], tensor) for name, tensor in own.items())


def test_a_longer_network_is_not_squeezed_into_a_shorter_one():
    longer, shorter = (
        import_timm().create_model(f"tf_efficientnet_lite{size}").state_dict() for size in (1, 0)
    )
    assert timm_names(package_names(longer), shorter).keys() > {"blocks.16.conv_pw.weight"}


def test_packages_hold_the_default_weights_only():
    assert package_of("tf_efficientnet_lite0.in1k") == package_of("tf_efficientnet_lite0")
    assert package_of("tf_efficientnet_lite0.other") is None and package_of("resnet50") is None


def test_a_package_that_is_not_installed_has_no_file(monkeypatch):
    without_packages(monkeypatch)
    assert package_file("tf_efficientnet_lite0") is None and package_file("resnet50") is None


@pytest.fixture(params=PACKAGES)
def encoder(request):
    """An encoder whose real package is installed."""
    pytest.importorskip(PACKAGES[request.param].replace("-", "_"))
    return request.param


def test_the_real_package_fills_the_whole_classifier_and_the_pyramid(encoder):
    weights = read_weights(package_file(encoder))
    own = import_timm().create_model(encoder).state_dict()
    named = timm_names(weights, own)
    assert {name: t.shape for name, t in named.items()} == {n: t.shape for n, t in own.items()}
    backbone = TimmEncoder(encoder, 16, pretrained="package").backbone.state_dict()
    assert len(backbone) > 280
    assert all(torch.equal(backbone[name], named[name]) for name in backbone)


def test_logits_are_those_of_the_network_that_the_package_was_made_for(encoder):
    """A photo-like image through timm, and through the definition of EfficientNet-Lite."""
    weights = read_weights(package_file(encoder))
    model = import_timm().create_model(encoder).eval()
    model.load_state_dict(timm_names(weights, model.state_dict()))
    torch.manual_seed(0)
    image = F.interpolate(torch.rand(1, 3, 8, 8), (225, 196), mode="bicubic") * 2 - 1
    with torch.no_grad():
        logits, expected = model(image), efficientnet_lite(weights, image)
    assert expected.std() > 0.3
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Strides of the first block of each stage, which changes the number of channels."""


def efficientnet_lite(weights, image):
    """EfficientNet-Lite from the names and shapes of the package: Tan & Le 2019, without SE."""
    conv, norm = partial(convolve, weights), partial(normalize, weights)
    x = F.relu6(norm("_bn0", conv("_conv_stem", image, stride=2)))
    strides = iter(STRIDES)
    for i in range(sum(key.endswith("._depthwise_conv.weight") for key in weights)):
        block, shortcut = f"_blocks.{i}", x
        is_first = weights[f"{block}._project_conv.weight"].shape[0] != x.shape[1]
        stride = next(strides) if is_first else 1
        if f"{block}._expand_conv.weight" in weights:
            x = F.relu6(norm(f"{block}._bn0", conv(f"{block}._expand_conv", x)))
        x = conv(f"{block}._depthwise_conv", x, stride=stride, groups=x.shape[1])
        x = F.relu6(norm(f"{block}._bn1", x))
        x = norm(f"{block}._bn2", conv(f"{block}._project_conv", x))
        x = x + shortcut if x.shape == shortcut.shape else x
    x = F.relu6(norm("_bn1", conv("_conv_head", x))).mean((2, 3))
    return F.linear(x, weights["_fc.weight"], weights["_fc.bias"])


def convolve(weights, name, x, stride=1, groups=1):
    """A convolution padded as in TensorFlow: one pixel more at the end than at the beginning."""
    kernel = weights[f"{name}.weight"]
    size = kernel.shape[-1]
    total = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in x.shape[:1:-1]]
    x = F.pad(x, [pad for t in total for pad in (t // 2, t - t // 2)])
    return F.conv2d(x, kernel, stride=stride, groups=groups)


def normalize(weights, name, x):
    """BatchNorm with its running statistics."""
    names = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(x, *(weights[f"{name}.{word}"] for word in names), eps=1e-3)
