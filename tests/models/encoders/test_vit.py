"""Plain vision transformers: four levels at one stride, each normalized, without tokens."""

import pytest
import torch

from fewmask.batch import IMAGENET
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.encoder import create_encoder
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.vit import ViTEncoder, levels
from tests.models.encoders.small import register

register()


@pytest.mark.parametrize(
    ("depth", "blocks"),
    [
        (12, (2, 5, 8, 11)),
        (24, (4, 11, 17, 23)),
        (40, (9, 19, 29, 39)),
        (32, (7, 15, 23, 31)),
        (4, (0, 1, 2, 3)),
        (6, (1, 2, 4, 5)),
    ],
)
def test_levels_are_every_quarter_and_end_at_the_last_block(depth, blocks):
    assert levels(depth) == blocks


def test_fewer_than_four_blocks_are_refused():
    with pytest.raises(UserError, match="4 blocks or more, not 3"):
        levels(3)


@pytest.mark.parametrize(
    ("name", "size", "grid"),
    [
        ("small_dinov2", (375, 500), (27, 36)),
        ("small_dinov2", (500, 333), (36, 24)),
        ("small_dinov2", (281, 366), (20, 26)),
        ("small_dinov2", (21, 3), (2, 1)),
        ("small_dinov3", (375, 500), (23, 31)),
        ("small_dinov3", (512, 683), (32, 43)),
    ],
)
def test_images_are_resized_to_the_nearest_multiple_of_the_patch(name, size, grid):
    with torch.no_grad():
        maps = ViTEncoder(name).eval()(torch.randn(1, 3, *size))
    assert [tuple(x.shape) for x in maps] == [(1, 32, *grid)] * 4


@pytest.mark.parametrize("name", ["small_vit", "small_dinov2_registers", "small_dinov3"])
def test_each_level_is_a_blocks_output_through_the_final_norm_without_tokens(name):
    encoder = ViTEncoder(name).eval()
    side = 4 * encoder.patch
    outputs = []
    for block in encoder.backbone.blocks:
        block.register_forward_hook(lambda module, args, output: outputs.append(output))
    with torch.no_grad():
        maps = encoder(torch.randn(1, 3, side, side))
        for level, tokens in zip(maps, outputs, strict=True):
            expected = encoder.backbone.norm(tokens)[:, -16:].mT.unflatten(2, (4, 4))
            torch.testing.assert_close(level, expected)


def test_four_bands():
    encoder = ViTEncoder("small_dinov2", in_channels=4)
    assert [x.shape[1] for x in encoder(torch.randn(1, 4, 28, 28))] == encoder.channels
    assert encoder.normalization == IMAGENET.for_bands(4)


def test_the_kind_of_encoder_follows_from_the_model():
    assert isinstance(create_encoder("small_dinov2", None, False), ViTEncoder)
    assert isinstance(create_encoder("small_swin", None, False), TimmEncoder)


@pytest.mark.parametrize("stride", [None, 16, 14])
def test_the_usual_stride_is_accepted(stride):
    assert create_encoder("small_dinov2", stride, False).strides == [14] * 4


@pytest.mark.parametrize(
    "option", [{"output_stride": 8}, {"multi_grid": (1, 2, 4)}, {"ceil_pool": True}]
)
def test_options_of_resnets_are_refused(option):
    with pytest.raises(UserError, match=f"^model.{next(iter(option))} does not apply .*plain"):
        create_model(ModelConfig(encoder="small_dinov2", pretrained=False, **option), 3)


@pytest.mark.parametrize("stages", [1, 3])
def test_levels_are_frozen_from_the_first_with_the_embedding(stages):
    encoder = ViTEncoder("small_dinov2_registers")
    encoder.freeze(stages)
    still = {
        name.split(".")[0] for name, p in encoder.backbone.named_parameters() if p.requires_grad
    }
    assert still == {"blocks", "norm"}
    encoder.train()
    trained = [block.training for block in encoder.backbone.blocks]
    assert trained == [level >= stages for level in range(4)]
    with pytest.raises(UserError, match="has 4 stages"):
        encoder.freeze(5)


def test_drop_path_skips_blocks_in_training_only():
    encoder = ViTEncoder("small_vit", drop_path=0.5)
    image = torch.randn(8, 3, 32, 32)
    assert not torch.equal(encoder(image)[-1], encoder(image)[-1])
    encoder.eval()
    assert torch.equal(encoder(image)[-1], encoder(image)[-1])


def test_one_image_size_only_is_refused():
    with pytest.raises(UserError, match=r"beit_base_patch16_224: .* images of any size.*224"):
        create_encoder("beit_base_patch16_224", None, False)
