"""One small member of each family of timm encoders does all that an encoder must."""

import copy

import pytest
import torch
from torch import nn

from fewmask.models import ModelConfig, Segmenter, create_model
from fewmask.models.decoders.deeplabv3plus import DeepLabV3Plus
from fewmask.models.encoders.encoder import create_encoder
from tests.models.encoders.small import FAMILIES, register

register()
every_family = pytest.mark.parametrize("name", FAMILIES)


def network(name: str, **options) -> Segmenter:
    torch.manual_seed(0)
    decoder = DeepLabV3Plus.Config(channels=8, low_level_channels=4, aspp_rates=(1,))
    return create_model(ModelConfig(encoder=name, pretrained=False, decoder=decoder, **options), 3)


def stepped(model: nn.Module) -> dict[str, torch.Tensor]:
    """The gradients of a training step, by parameter."""
    torch.manual_seed(1)
    model.train()
    model(torch.randn(2, 3, 49, 65)).upsampled_logits.square().mean().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@every_family
@pytest.mark.parametrize("size", [(65, 65), (97, 81), (50, 70), (20, 31)])
def test_any_size(name, size):
    encoder = create_encoder(name, None, False).eval()
    with torch.no_grad():
        maps = encoder(torch.randn(1, 3, *size))
    unit, least = encoder.sizes
    for x, channels, stride in zip(maps, encoder.channels, encoder.strides, strict=True):
        assert x.shape[:2] == (1, channels)
        for places, side in zip(x.shape[2:], size, strict=True):
            if unit > 32:  # padded, and cut again
                assert places == -(-side // stride)
            else:  # resized by half a unit at most
                assert abs(places - max(side, least) / stride) < 1 + unit / 2 / stride


@every_family
def test_every_weight_learns_and_a_copy_learns_the_same(name):
    model = network(name)
    twin = copy.deepcopy(model)
    reloaded = network(name)
    for p in reloaded.parameters():
        nn.init.zeros_(p)
    reloaded.load_state_dict(model.state_dict())
    gradients = stepped(model)
    assert gradients.keys() == {name for name, _ in model.named_parameters()}
    for other in (twin, reloaded):
        assert all(torch.equal(gradients[key], grad) for key, grad in stepped(other).items())


@every_family
def test_blocks_computed_again_give_the_same_gradients(name):
    plain, again = network(name), network(name, checkpointing=True)
    assert plain.state_dict().keys() == again.state_dict().keys()
    for one, other in zip(stepped(plain).values(), stepped(again).values(), strict=True):
        assert torch.equal(one, other)
    for key, value in plain.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


@every_family
def test_recomputed_blocks_are_several(name):
    encoder = network(name, checkpointing=True).encoder
    wrapped = [x for x in encoder.modules() if hasattr(x, "_checkpoint_wrapped_module")]
    assert len(wrapped) >= 4
    assert all(len(list(w.parameters())) < len(list(encoder.parameters())) / 2 for w in wrapped)


@every_family
@pytest.mark.parametrize("stages", [1, 2, "all"])
def test_frozen_stages_do_not_move(name, stages):
    model = network(name, frozen_stages=stages)
    before = {key: x.clone() for key, x in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    learned = stepped(model)
    optimizer.step()
    moved = {key for key, x in model.state_dict().items() if not torch.equal(x, before[key])}
    inside = {key for key in before if key.startswith("encoder.")}
    assert moved - inside and learned
    if stages == "all":
        assert not moved & inside and not any(m.training for m in model.encoder.modules())
    else:
        assert inside & moved and inside - moved
        still = {k for k in inside - moved if before[k].is_floating_point()}
        assert any("patch_embed" in k or "stem" in k or "conv1" in k for k in still)
