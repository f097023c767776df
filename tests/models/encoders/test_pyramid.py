"""Feature pyramids: timm by name, strides, dilations, and messages about what it cannot build."""

import pytest
import torch

from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.timm_import import import_timm


@pytest.mark.parametrize(("stride", "last"), [(8, 8), (16, 16), (32, 32)])
def test_output_stride(stride, last):
    encoder = TimmEncoder("test_resnet", stride)
    maps = encoder(torch.randn(1, 3, 64, 64))
    assert encoder.strides[0] == 4 and encoder.strides[-1] == last
    for feature, channels, s in zip(maps, encoder.channels, encoder.strides, strict=True):
        assert feature.shape == (1, channels, 64 // s, 64 // s)


def test_the_deep_stem_of_the_papers_is_there():
    encoder = TimmEncoder("resnet50s", 16)
    assert encoder.channels == [256, 512, 1024, 2048] and encoder.strides == [4, 8, 16, 16]


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(UserError, match="resnet50"):
        TimmEncoder("resnet5o", 16)


def test_an_encoder_that_cannot_be_dilated():
    with pytest.raises(UserError, match="output_stride=32"):
        TimmEncoder("test_vit", 8)


@pytest.mark.parametrize(("stride", "dilations"), [(16, [2, 4, 8]), (8, [4, 8, 16])])
def test_multi_grid_gives_the_dilations_of_the_papers(stride, dilations):
    backbone = TimmEncoder("resnet50s", stride, multi_grid=(1, 2, 4)).backbone
    assert [block.conv2.dilation[0] for block in backbone.layer4] == dilations
    last = TimmEncoder("resnet50s", stride, multi_grid=(1, 2, 4))(torch.zeros(1, 3, 65, 65))[-1]
    assert last.shape[-1] == (5 if stride == 16 else 9)


def test_multi_grid_needs_a_bottleneck_resnet():
    for encoder in ("resnet18", "xception65"):
        with pytest.raises(UserError, match="model.multi_grid.*bottleneck"):
            TimmEncoder(encoder, 16, multi_grid=(1, 2, 4))


def test_offline_the_message_names_the_option(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import_timm()
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"model.pretrained=path/to/weights.safetensors"):
        create_model(ModelConfig(encoder="resnet18.a1_in1k", pretrained=True), 3)
