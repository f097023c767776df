"""Feature pyramids: timm by name, strides, dilations, and messages about what it cannot build."""

import pytest
import torch

from fewmask.batch import Normalization
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.timm_import import import_timm
from tests.models.encoders.small import register

register()


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
    with pytest.raises(UserError, match="output_stride=null"):
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


@pytest.mark.parametrize(
    ("name", "stride"),
    [("test_resnet", 16), ("test_convnext", 16), ("small_swin", 32), ("small_pvt", 32)],
)
def test_without_a_stride_an_encoder_is_dilated_to_16_if_it_can_be(name, stride):
    assert TimmEncoder(name, None).strides[-1] == stride


def test_an_explicit_stride_is_never_replaced():
    with pytest.raises(UserError, match="small_swin with model.output_stride=16: timm cannot"):
        TimmEncoder("small_swin", 16)


def test_maps_of_a_windowed_network_are_cut_to_the_image():
    """test_maxvit divides maps into windows of 5, at stride 32 as well: multiples of 160."""
    encoder = TimmEncoder("test_maxvit").eval()
    assert encoder.sizes == (160, 160)
    with torch.no_grad():
        maps = encoder(torch.randn(1, 3, 65, 170))
    assert [tuple(x.shape[2:]) for x in maps] == [(17, 43), (9, 22), (5, 11), (3, 6)]


@pytest.mark.parametrize("name", ["levit_128s", "crossvit_9_240"])
def test_an_encoder_of_one_image_size_is_refused(name):
    with pytest.raises(UserError, match=f"{name}: this timm model does not take images of any"):
        TimmEncoder(name)


def test_trying_sizes_leaves_random_numbers_and_statistics_alone():
    torch.manual_seed(0)
    import_timm().create_model("test_resnet", features_only=True)
    after = torch.rand(1)
    torch.manual_seed(0)
    encoder = TimmEncoder("test_resnet")
    assert torch.equal(torch.rand(1), after)
    assert encoder.backbone.training and encoder.backbone.bn1.num_batches_tracked == 0


@pytest.mark.parametrize(("ceil", "size"), [(False, (94, 125)), (True, (95, 126))])
def test_max_pooling_may_round_sizes_up(ceil, size):
    with torch.no_grad():
        first, *_ = TimmEncoder("small_deep_stem", 16, ceil_pool=ceil)(torch.zeros(1, 3, 375, 500))
    assert first.shape[2:] == size


def test_rounding_up_needs_a_resnet():
    with pytest.raises(UserError, match="model.ceil_pool=true: test_convnext has no max pooling"):
        TimmEncoder("test_convnext", ceil_pool=True)


def test_drop_path_is_refused_where_timm_has_none():
    TimmEncoder("test_convnext", drop_path=0.1)
    with pytest.raises(UserError, match="model.drop_path=0.1: timm's vgg11 has no drop path"):
        TimmEncoder("vgg11", drop_path=0.1)


def test_normalization_is_that_of_the_pretrained_weights():
    half = Normalization((0.5,) * 4, (0.5,) * 4)
    assert TimmEncoder("tf_efficientnet_lite0", in_channels=4).normalization == half
