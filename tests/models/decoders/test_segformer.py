"""The all-MLP decoder: the paper's function at a lower price."""

import pytest
import torch
import torch.nn.functional as F

from fewmask.models import ModelConfig, create_model
from fewmask.models.decoders.segformer import SegFormer
from fewmask.models.encoders.stages import Stages
from fewmask.parts.resizing import resize

STAGES = Stages((4, 6, 8), (4, 8, 16))


def test_features_are_those_of_the_paper():
    """Which resizes every map first, concatenates them, and applies one 1x1 convolution."""
    torch.manual_seed(0)
    decoder = SegFormer(STAGES, SegFormer.Config(channels=5))
    maps = [torch.randn(2, c, n, n) for c, n in zip(STAGES.channels, (9, 5, 3), strict=True)]
    resized = [resize(p(x), (9, 9)) for p, x in zip(decoder.project, maps, strict=True)]
    joined = decoder.fuse(torch.cat(resized, dim=1))
    expected = F.relu(
        (joined - joined.mean((0, 2, 3), keepdim=True))
        / joined.std((0, 2, 3), correction=0, keepdim=True)
    )
    features = decoder(maps)
    assert features.shape == (2, 5, 9, 9)
    torch.testing.assert_close(features, expected, atol=1e-3, rtol=1e-3)  # eps of BatchNorm


def test_the_default_is_that_of_segformer_b0():
    """Its head has 0.4 million parameters, 8,192 of them in the BatchNorm and the widths."""
    decoder = SegFormer(Stages((32, 64, 160, 256), (4, 8, 16, 32)), SegFormer.Config())
    parameters = sum(p.numel() for p in decoder.parameters())
    assert parameters == 256 * (32 + 64 + 160 + 256) + 4 * 256 + 256 * 1024 + 2 * 256


@pytest.mark.parametrize("encoder", ["tests.tiny:Encoder", "tests.tiny:PatchEncoder"])
def test_it_reads_any_encoder(encoder):
    config = ModelConfig(encoder=encoder, decoder={"name": "segformer", "channels": 8})
    logits = create_model(config, 5)(torch.randn(2, 3, 33, 47)).upsampled_logits
    assert logits.shape == (2, 5, 33, 47)
