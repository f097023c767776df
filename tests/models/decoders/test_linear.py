"""The linear probe: normalized maps, one 1x1 convolution."""

import torch

from fewmask.models.decoders.linear import Linear
from fewmask.models.encoders.stages import Stages
from fewmask.parts.resizing import resize

STAGES = Stages((4, 6), (4, 16))


def maps() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 4, 9, 9), 5 + 3 * torch.randn(2, 6, 3, 3)]


def test_the_last_map_is_normalized():
    decoder = Linear(STAGES, Linear.Config())
    features = decoder(maps())
    assert features.shape == (2, 6, 3, 3) and decoder.out_stride == 16
    torch.testing.assert_close(features.mean((0, 2, 3)), torch.zeros(6), atol=1e-5, rtol=0)
    spread = features.var((0, 2, 3), correction=0)
    torch.testing.assert_close(spread, torch.ones(6), atol=1e-3, rtol=0)


def test_all_maps_are_joined_at_the_size_of_the_finest():
    decoder = Linear(STAGES, Linear.Config(levels="all")).eval()
    fine, coarse = maps()
    features = decoder([fine, coarse])
    assert features.shape == (2, 10, 9, 9) and (decoder.out_channels, decoder.out_stride) == (10, 4)
    expected = torch.cat([fine, resize(coarse, (9, 9))], dim=1)
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)  # fresh statistics


def test_the_head_is_linear_and_drops_whole_channels_in_training():
    head = Linear(STAGES, Linear.Config(dropout=0.5)).make_head(3)
    x, y = torch.randn(2, 2, 6, 3, 3).unbind()
    head.eval()
    nothing = head(torch.zeros(2, 6, 3, 3))
    torch.testing.assert_close(head(x + y) - nothing, head(x) + head(y) - 2 * nothing)
    head.train()
    torch.nn.init.ones_(head[-1].weight)
    torch.nn.init.zeros_(head[-1].bias)
    kept = head(torch.ones(64, 6, 3, 3))
    assert (kept == kept[:, :, :1, :1]).all()  # the same channels everywhere in an image
    assert 0 < kept.amin() + 1 <= 1 and kept.unique().numel() > 2
