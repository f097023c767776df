"""Decoders of segmentation_models_pytorch on our stages, at sizes that smp itself refuses."""

import sys

import pytest
import torch

from fewmask.cli.words import recipe_from_words
from fewmask.config import validate
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.decoders import SMP
from fewmask.models.decoders.decoder import create_decoder, decoder_config
from fewmask.models.decoders.smp import KINDS
from fewmask.models.encoders.stages import Stages

PYRAMID = Stages((8, 12, 16, 24), (4, 8, 16, 32))
DILATED = Stages((8, 12, 16, 24), (4, 8, 16, 16))
WIDELY = Stages((8, 12, 16, 24), (4, 8, 8, 8))
COARSE = Stages((8, 12, 16, 24), (8, 16, 32, 64))
PLAIN = Stages((16,) * 4, (14,) * 4)


@pytest.fixture
def smp():
    from fewmask.models.encoders.timm_import import import_timm

    import_timm()
    return pytest.importorskip("segmentation_models_pytorch")


def maps(stages: Stages, height: int, width: int) -> list[torch.Tensor]:
    """As many pixels as strided convolutions give: rounded up."""
    return [
        torch.randn(2, c, -(-height // s), -(-width // s)) for c, s in zip(*stages, strict=True)
    ]


def test_every_model_of_smp_is_known(smp):
    models = {model.__name__ for model in smp.MODEL_ARCHITECTURES_MAPPING.values()}
    assert models == {*SMP, "DPT"} and {*SMP} == {*KINDS}


@pytest.mark.parametrize("stages", [PYRAMID, DILATED, WIDELY, COARSE, PLAIN])
@pytest.mark.parametrize("name", SMP)
def test_any_size_works_on_any_stages(smp, name, stages):
    decoder = create_decoder(stages, decoder_config(f"smp:{name}")).eval()
    for height, width in ((65, 33), (64, 96), (70, 98)):
        with torch.no_grad():
            features = decoder(maps(stages, height, width))
        assert features.shape[:2] == (2, decoder.out_channels) and features.isfinite().all()
        finer = [side * decoder.out_stride for side in features.shape[-2:]]
        assert finer[0] >= height - decoder.out_stride and finer[1] >= width - decoder.out_stride


# smp dilates the encoder for these, which read no map of stride 2. For the others its encoder has
# none, like ours.
DILATED_MODELS = {"PAN": {}, "DeepLabV3": {"encoder_output_stride": 16}, "DeepLabV3Plus": {}}


@pytest.mark.parametrize("name", SMP)
def test_decoder_and_head_are_those_of_smps_model(smp, name):
    """All names and shapes of weights are equal, and so are the logits at the size of the head."""
    options = DILATED_MODELS.get(name, {"encoder_depth": 5})
    encoder = "resnet18" if name in DILATED_MODELS else "tu-test_convnext"
    model = smp.create_model(name, encoder, None, classes=5, **options).eval()
    strides = (4, 8, 16, 16) if name in DILATED_MODELS else (4, 8, 16, 32)
    stages = Stages(tuple(model.encoder.out_channels[2:]), strides)
    decoder = create_decoder(stages, decoder_config(f"smp:{name}")).eval()
    head = decoder.make_head(5)
    decoder.inner.load_state_dict(model.decoder.state_dict())
    weights = model.segmentation_head.state_dict()
    head.load_state_dict({key.partition(".")[2]: x for key, x in weights.items()})
    with torch.no_grad():
        features = model.encoder(torch.randn(2, 3, 128, 160))
        expected = model.segmentation_head[0](model.decoder(list(features)))
        torch.testing.assert_close(head(decoder(features[2:])), expected)


def test_fresh_weights_are_drawn_as_in_smps_model(smp):
    decoder = create_decoder(PYRAMID, decoder_config("smp:UPerNet"))
    assert not decoder.make_head(5).bias.any()
    biases = [p for name, p in decoder.named_parameters() if name.endswith("bias")]
    assert biases and not any(bias.any() for bias in biases)
    assert all(module.training for module in decoder.modules())


def test_options_are_those_of_smps_decoder(smp):
    config = {"name": "smp:FPN", "options": {"segmentation_channels": 64, "merge_policy": "cat"}}
    assert create_decoder(PYRAMID, decoder_config(config)).out_channels == 4 * 64
    typo = {"name": "smp:FPN", "options": {"pyramid_chanels": 64}}
    with pytest.raises(UserError, match="options.pyramid_chanels: smp:FPN has.*'pyramid_channels'"):
        create_decoder(PYRAMID, decoder_config(typo))
    ours = {"name": "smp:FPN", "options": {"encoder_channels": [1, 2, 3]}}
    with pytest.raises(UserError, match="options.encoder_channels: smp:FPN has no such option"):
        create_decoder(PYRAMID, decoder_config(ours))
    wrong = {"name": "smp:Unet", "options": {"decoder_channels": [8, 8]}}
    with pytest.raises(UserError, match=r"smp:Unet cannot be built.*5.*2 blocks"):
        create_decoder(PYRAMID, decoder_config(wrong))


def test_options_reach_it_from_the_command_line():
    words = ["model.decoder=smp:Unet", "model.decoder.options.decoder_channels=[32, 16, 8, 8, 8]"]
    config = recipe_from_words(["synthetic", *words]).model
    assert config.decoder.options == {"decoder_channels": [32, 16, 8, 8, 8]}
    assert validate(ModelConfig, config.model_dump(mode="json"), "model") == config


def test_masks_have_the_size_of_the_image(smp):
    decoder = {"name": "smp:FPN", "options": {"pyramid_channels": 32, "segmentation_channels": 32}}
    model = create_model(ModelConfig(encoder="tests.tiny:Encoder", decoder=decoder), 5)
    assert model(torch.randn(2, 3, 65, 47)).labels().shape == (2, 65, 47)


def test_an_encoder_with_fewer_maps_is_refused():
    with pytest.raises(
        UserError, match=r"smp:FPN reads the stages \[0, 1, 2, 3\].*gives 3 feature"
    ):
        create_decoder(Stages((8, 16, 32), (4, 8, 16)), decoder_config("smp:FPN"))


def test_without_smp_the_message_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    for name in [name for name in sys.modules if name.startswith("segmentation_models_pytorch.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UserError, match=r'pip install "fewmask\[smp\]"'):
        create_decoder(PYRAMID, decoder_config("smp:FPN"))
