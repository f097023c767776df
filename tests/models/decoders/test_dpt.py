"""DPT: numbers of the released head, its sizes, and what it refuses."""

import pytest
import torch
from torch import Tensor, nn

from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.decoders.decoder import create_decoder, decoder_config
from fewmask.models.decoders.dpt import DPT
from fewmask.models.encoders.stages import Stages
from fewmask.parts.resizing import resize


def plain(width: int, patch: int = 14) -> Stages:
    return Stages((width,) * 4, (patch,) * 4)


def constant(module: nn.Module) -> nn.Module:
    """Biases 0.01, 3x3 weights 0.05, all others 0.5; in float64."""
    for name, parameter in module.double().named_parameters():
        kernel = tuple(parameter.shape[-2:])
        value = 0.01 if name.endswith("bias") else 0.05 if kernel == (3, 3) else 0.5
        nn.init.constant_(parameter, value)
    return module


def ramps() -> list[Tensor]:
    """Level k at (row, column): 0.1 k (row + 1) + 0.05 column - 0.2, on a grid of 2 x 3."""
    rows = torch.arange(1, 3, dtype=torch.float64)[:, None]
    columns = torch.arange(3, dtype=torch.float64)
    maps = [0.1 * k * rows + 0.05 * columns - 0.2 for k in (1, 2, 3, 4)]
    return [x.expand(1, 2, 2, 3) for x in maps]


def test_logits_are_those_of_the_released_head():
    """Computed once with the head that UniMatch V2 released, in float64, on these weights."""
    decoder = constant(DPT(plain(2), DPT.Config(channels=(2, 2, 2, 2), features=2)))
    logits = constant(decoder.make_head(2))(decoder(ramps()))
    assert logits.shape == (1, 2, 16, 24) and torch.allclose(logits[:, 0], logits[:, 1])
    found = logits[0, 0]
    assert found.sum().item() == pytest.approx(530.331291, abs=1e-6)
    corners = [found[0, 0], found[0, 23], found[15, 0], found[15, 23], found[7, 11], found[8, 12]]
    expected = [0.296967, 0.381706, 0.386453, 0.481510, 1.849928, 1.934100]
    assert torch.stack(corners).tolist() == pytest.approx(expected, abs=1e-6)
    enlarged = resize(logits, (28, 42))[0, 0]
    assert enlarged.sum().item() == pytest.approx(1657.883433, abs=1e-6)
    assert enlarged[13, 20].item() == pytest.approx(1.868445, abs=1e-6)


@pytest.mark.parametrize(
    ("width", "parameters"), [(384, 2_665_205), (768, 10_653_141), (1024, 30_030_357)]
)
def test_sizes_follow_the_width_of_the_encoder(width, parameters):
    """The released heads for 21 classes, without the skip unit that they never use."""
    decoder = create_decoder(plain(width), decoder_config("dpt"))
    modules = (decoder, decoder.make_head(21))
    assert sum(p.numel() for module in modules for p in module.parameters()) == parameters


def test_other_widths_take_the_nearest_size():
    for width, features in ((64, 64), (500, 64), (640, 128), (1280, 256), (4096, 384)):
        with torch.device("meta"):
            assert DPT(plain(width), DPT.Config()).out_channels == features
    config = DPT.Config(channels=(3, 4, 5, 6), features=7)
    decoder = DPT(plain(384), config)
    assert [level[0].out_channels for level in decoder.levels] == [3, 4, 5, 6]
    assert decoder.out_channels == 7


@pytest.mark.parametrize(
    ("grid", "levels", "side"),
    [
        ((37, 37), [(148, 148), (74, 74), (37, 37), (19, 19)], (296, 296)),
        ((5, 7), [(20, 28), (10, 14), (5, 7), (3, 4)], (40, 56)),
        ((1, 1), [(4, 4), (2, 2), (1, 1), (1, 1)], (8, 8)),
    ],
)
def test_maps_of_one_size_become_a_pyramid(grid, levels, side):
    decoder = DPT(plain(4), DPT.Config(channels=(2, 2, 2, 2), features=2))
    maps = [torch.randn(1, 4, *grid) for _ in range(4)]
    found = [level(x).shape[-2:] for level, x in zip(decoder.levels, maps, strict=True)]
    assert found == levels
    assert decoder(maps).shape == (1, 2, *side)


def test_half_leaves_out_the_last_enlargement():
    sizes = {}
    for stride in ("full", "half"):
        decoder = DPT(plain(4), DPT.Config(channels=(2, 2, 2, 2), features=2, stride=stride))
        torch.manual_seed(0)
        for p in decoder.parameters():
            nn.init.normal_(p, std=0.3)
        sizes[stride] = decoder([torch.ones(1, 4, 5, 7)] * 4)
        assert decoder.out_stride == {"full": 1.75, "half": 3.5}[stride]
    assert sizes["half"].shape == (1, 2, 20, 28)
    torch.testing.assert_close(resize(sizes["half"], (40, 56)), sizes["full"])


@pytest.mark.parametrize(
    "stages", [Stages((8, 8, 8, 8), (4, 8, 16, 16)), Stages((8, 8, 8, 8, 8), (16,) * 5)]
)
def test_a_pyramid_is_refused(stages):
    with pytest.raises(UserError, match=r"dpt needs four maps of equal stride.*strides \[.*16\]"):
        DPT(stages, DPT.Config())
    with pytest.raises(UserError, match=r"dpt reads the stages \[0, 1, 2, 3\]"):
        DPT(Stages((8,), (16,)), DPT.Config())


def test_it_is_the_default_for_a_plain_encoder_at_any_size():
    model = create_model(ModelConfig(encoder="tests.tiny:PatchEncoder"), 5)
    assert isinstance(model.decoder, DPT)
    for side in (28, 33, 65):
        assert model(torch.randn(1, 3, side, 48)).upsampled_logits.shape == (1, 5, side, 48)


def test_features_keep_the_precision_of_the_run():
    decoder = DPT(plain(4), DPT.Config(channels=(2, 2, 2, 2), features=2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert decoder([torch.randn(1, 4, 2, 3)] * 4).dtype == torch.bfloat16
