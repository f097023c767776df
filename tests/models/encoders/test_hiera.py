"""Hiera at sizes that timm did not build it for."""

import copy

import pytest
import torch

from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.timm_import import import_timm
from tests.models.encoders.small import register

register()


def maps(encoder, image):
    with torch.no_grad():
        return encoder(image)


def test_at_its_own_size_nothing_changes():
    torch.manual_seed(0)
    theirs = import_timm().create_model("small_hiera", features_only=True).eval()
    ours = TimmEncoder("small_hiera").eval()
    ours.backbone.load_state_dict(theirs.state_dict())
    image = torch.randn(1, 3, 224, 224)
    for _ in range(2):  # before and after another size
        assert all(map(torch.equal, maps(ours, image), maps(theirs, image)))
        maps(ours, torch.randn(1, 3, 64, 96))


def test_at_another_size_it_is_the_network_that_timm_builds_for_it():
    """timm resizes the position table when it loads weights; here that happens at each image."""
    torch.manual_seed(0)
    encoder = TimmEncoder("small_hiera").eval()
    table = encoder.backbone.model.pos_embed
    theirs = import_timm().create_model("small_hiera", features_only=True, img_size=(64, 96)).eval()
    state = encoder.backbone.state_dict()
    grid = table.unflatten(1, (56, 56)).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(grid, (16, 24), mode="bicubic", antialias=True)
    theirs.load_state_dict({**state, "model.pos_embed": resized.flatten(2).mT})
    image = torch.randn(2, 3, 64, 96)
    for ours, expected in zip(maps(encoder, image), maps(theirs, image), strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("size", [(64, 64), (160, 96)])
def test_a_copy_has_positions_of_its_own(size):
    encoder = TimmEncoder("small_hiera").eval()
    twin = copy.deepcopy(encoder)
    image = torch.randn(1, 3, *size)
    before = maps(twin, image)
    with torch.no_grad():
        encoder.backbone.model.pos_embed.add_(1)
    assert all(map(torch.equal, maps(twin, image), before))
