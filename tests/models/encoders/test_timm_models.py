"""timm models by name, with the options that let them take any image size."""

import pytest
import torch

from fewmask.batch import Normalization
from fewmask.errors import UserError
from fewmask.models.encoders.timm_models import build, is_plain, normalization_of, sketch
from tests.models.encoders.small import register

register()


@pytest.mark.parametrize(
    ("name", "extra"),
    [("small_dinov2", {"dynamic_img_size"}), ("small_swin", {"strict_img_size"})]
    + [("test_resnet", set()), ("mobilenetv3_small_050", set())],
)
def test_any_size_is_asked_for_where_there_is_an_option(name, extra):
    _, options = build(name, features_only=True, in_chans=4)
    assert options.keys() - {"features_only", "in_chans"} == extra


def test_timms_own_errors_come_through():
    with pytest.raises(TypeError, match="output_stride"):
        build("small_swin", features_only=True, output_stride=16)


@pytest.mark.parametrize("function", [build, is_plain])
def test_an_unknown_name_comes_with_the_nearest(function):
    with pytest.raises(
        UserError, match="vit_small_patch14_dinov3: timm has no such model.*patch16_dinov3"
    ):
        function("vit_small_patch14_dinov3")


@pytest.mark.parametrize(
    ("name", "plain"),
    [("small_dinov2", True), ("small_dinov3", True), ("vit_base_patch16_clip_224.openai", True)]
    + [("small_swin", False), ("small_hiera", False), ("resnet18", False), ("levit_128s", False)],
)
def test_plain_transformers_work_at_one_stride(name, plain):
    assert is_plain(name) is plain


def test_a_sketch_draws_no_random_numbers():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert next(sketch("test_vit").parameters()).is_meta
    assert torch.equal(torch.rand(1), expected)


def test_the_normalization_is_that_of_the_weights_named_by_the_tag():
    web = sketch("vit_large_patch16_dinov3.lvd1689m")
    satellite = sketch("vit_large_patch16_dinov3.sat493m")
    assert normalization_of(web, 3).mean == (0.485, 0.456, 0.406)
    assert normalization_of(satellite, 3) == Normalization(
        (0.430, 0.411, 0.296), (0.213, 0.156, 0.143)
    )
