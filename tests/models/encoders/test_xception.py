"""Xception as PseudoSeg reads it."""

import copy

import pytest
import torch

from fewmask.models.encoders.pyramid import TimmEncoder


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return TimmEncoder("xception41", output_stride=16).eval()


def outputs(encoder, name, image):
    """What a module of the backbone returns for an image."""
    seen = []
    hook = encoder.backbone.get_submodule(name).register_forward_hook(
        lambda m, x, y: seen.append(y)
    )
    with torch.no_grad():
        maps = encoder(image)
    hook.remove()
    return seen[0], maps


def test_the_last_maps_are_those_behind_the_blocks_of_the_exit_flow(encoder):
    image = torch.randn(1, 3, 65, 49)
    exit_block, maps = outputs(encoder, "blocks_11", image)
    assert torch.equal(maps[-2], exit_block) and maps[-2].shape == (1, 1024, 5, 4)
    assert maps[-1].shape == (1, 2048, 5, 4) and encoder.strides == [4, 8, 16, 16]


def test_a_copy_reads_its_own_blocks(encoder):
    other = copy.deepcopy(encoder)
    image = torch.randn(1, 3, 33, 33)
    with torch.no_grad():
        before = encoder(image)
        for parameter in other.parameters():
            parameter.zero_()
        other(image)
        after = encoder(image)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert other(image)[-1].abs().max() == 0


def test_an_exit_block_that_strides_is_read_inside(encoder):
    coarse = TimmEncoder("xception41", output_stride=32).eval()
    with torch.no_grad():
        maps = coarse(torch.randn(1, 3, 64, 64))
    assert [x.shape[-1] for x in maps] == [16, 8, 4, 2] and coarse.strides == [4, 8, 16, 32]
