"""Learning rates that fall from layer to layer, towards the image."""

import pytest
import torch

from fewmask.errors import UserError
from fewmask.models.encoders.layer_decay import decayed_groups
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.vit import ViTEncoder
from tests.models.encoders.small import register

register()


def test_twelve_blocks_of_dinov2_have_26_groups():
    """The numbers of timm's own grouping, as EoMT and BEiT use it."""
    encoder = ViTEncoder("vit_small_patch14_dinov2")
    groups = decayed_groups(encoder, 0.8, weight_decay=0.05)
    assert len(groups) == 26
    scales = [group.scale for group in groups]
    assert scales == sorted(scales, reverse=True)
    assert sorted({*scales}) == pytest.approx([0.8**i for i in range(12, -1, -1)])
    by_parameter = {id(p): group for group in groups for p in group.parameters}
    backbone = encoder.backbone

    def group_of(parameter):
        return by_parameter[id(parameter)]

    assert group_of(backbone.patch_embed.proj.weight).scale == pytest.approx(0.0687, abs=5e-5)
    assert group_of(backbone.blocks[0].attn.qkv.weight).scale == pytest.approx(0.0859, abs=5e-5)
    assert group_of(backbone.blocks[11].attn.qkv.weight).scale == 1
    assert group_of(backbone.norm.weight).scale == 1
    assert group_of(backbone.patch_embed.proj.weight).weight_decay == 0.05
    for p in (backbone.pos_embed, backbone.cls_token, backbone.blocks[3].attn.qkv.bias):
        assert group_of(p).weight_decay == 0


@pytest.mark.parametrize("name", ["small_swin", "test_resnet", "small_xception", "small_hiera"])
def test_pyramids_keep_the_order_that_timm_knows(name):
    encoder = TimmEncoder(name)
    groups = decayed_groups(encoder, 0.5, weight_decay=0.05)
    held = {id(p): group.scale for group in groups for p in group.parameters}
    scales = [held[id(p)] for p in encoder.parameters()]
    assert len(scales) == len(held) and len({*scales}) > 3
    assert scales[0] == min(scales) and scales[-1] == 1


def test_checkpointing_and_freezing_change_no_rate():
    rates = []
    for is_changed in (False, True):
        torch.manual_seed(0)
        encoder = ViTEncoder("small_dinov3")
        if is_changed:
            encoder.freeze(2)
            encoder.checkpoint_blocks()
        groups = decayed_groups(encoder, 0.5, weight_decay=0.05)
        rates.append({p.data_ptr(): g.scale for g in groups for p in g.parameters})
        assert sum(p.requires_grad for p in encoder.parameters()) == len(rates[-1])
    assert {*rates[1].values()} == {1, 0.5} and {*rates[0].values()} == {0.5**i for i in range(5)}


def test_a_module_that_is_not_timms_is_refused():
    with pytest.raises(UserError, match="training.layer_decay=0.8: only some encoders of timm"):
        decayed_groups(torch.nn.Linear(2, 2), 0.8, weight_decay=0)
