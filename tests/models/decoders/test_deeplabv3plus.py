"""DeepLabV3+ in the variants of the papers: what each option builds."""

import pytest
import torch

from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.decoders.deeplabv3plus import DeepLabV3Plus
from fewmask.models.encoders.stages import Stages


def test_variant_of_the_u2pl_family():
    decoder = DeepLabV3Plus.Config(
        channels=8, low_level_channels=8, aspp_fuse_kernel=3, dropout=0.1
    )
    model = create_model(
        ModelConfig(encoder="test_resnet", pretrained=False, output_stride=8, decoder=decoder), 5
    )
    kinds = [type(m).__name__ for m in model.head.modules()]
    assert kinds.count("Conv2d") == 3 and kinds.count("Dropout2d") == 2
    assert model.decoder.aspp.fuse[0].kernel_size == (3, 3)
    rates = [branch[0].dilation[0] for branch in model.decoder.aspp.branches]
    assert rates == [1, 12, 24, 36]


def test_the_default_is_the_decoder_of_imas():
    decoder = create_model(ModelConfig(encoder="test_resnet", pretrained=False), 21).decoder
    assert [b[0].dilation[0] for b in decoder.aspp.branches] == [1, 6, 12, 18]
    assert decoder.low_level[0].out_channels == 48 and decoder.low_level[0].bias is not None
    assert decoder.out_channels == 304


def test_variant_of_pseudoseg():
    config = DeepLabV3Plus.Config(channels=8, element_dropout=0.5, batchnorm_momentum=0.0003)
    model = create_model(
        ModelConfig(encoder="test_resnet", pretrained=False, decoder=config, aux_head=True), 5
    )
    own = {m.momentum for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)
           and not n.startswith("encoder")}  # fmt: skip
    assert own == {0.0003} and model.encoder.backbone.bn1.momentum == 0.1
    stages = model.eval().encoder(torch.randn(2, 3, 65, 65))
    dropped = model.decoder.train().aspp.eval()(stages[-1])
    model.decoder.low_level.eval()
    features = model.decoder([*stages[:-1], stages[-1]])[:, :8, ::4, ::4]
    share = (features[dropped > 0] == 0).float().mean()
    assert 0.3 < share < 0.7  # single values, not whole channels
    alive = (dropped > 0).all(dim=(2, 3))
    assert alive.any() and not (features[alive] == 0).flatten(1).all(dim=1).any()


def test_the_dilations_can_be_chosen():
    config = DeepLabV3Plus.Config(channels=8, aspp_rates=(3, 5))
    decoder = DeepLabV3Plus(Stages((4, 6), (4, 16)), config)
    assert [b[0].dilation[0] for b in decoder.aspp.branches] == [1, 3, 5]
    assert decoder.aspp.fuse[0].in_channels == 8 * 4  # the whole image, 1x1, and two dilated
    stages = [torch.randn(2, 4, 8, 8), torch.randn(2, 6, 2, 2)]
    assert decoder(stages).shape == (2, 8 + 48, 8, 8)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_the_head_is_as_deep_as_asked(depth):
    config = DeepLabV3Plus.Config(channels=8, low_level_channels=4, head_depth=depth)
    head = DeepLabV3Plus(Stages((4, 6), (4, 16)), config).make_head(5)
    kernels = [m.kernel_size[0] for m in head.modules() if isinstance(m, torch.nn.Conv2d)]
    assert kernels == [3] * depth + [1]
    assert head(torch.randn(2, 12, 8, 8)).shape == (2, 5, 8, 8)


def test_an_encoder_with_one_stage_is_refused():
    with pytest.raises(UserError, match=r"deeplabv3plus reads the stages \[0, -1\].*1 feature map"):
        DeepLabV3Plus(Stages((64,), (16,)), DeepLabV3Plus.Config())
