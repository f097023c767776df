"""From settings to networks: random weights, pretrained weights."""

from pathlib import Path

import torch

from fewmask.batch import IMAGENET
from fewmask.models import ModelConfig, create_model
from fewmask.models.model import name_decoder
from tests.conftest import TINY


def test_two_networks_start_from_different_weights():
    first, second = (create_model(TINY, 3).state_dict() for _ in range(2))
    drawn = [key for key in first if key.endswith("weight") and first[key].ndim == 4]
    assert drawn and not any(torch.equal(first[key], second[key]) for key in drawn)


def test_pretrained_networks_share_the_encoder_and_not_the_head(tmp_path):
    source = create_model(TINY, 3).encoder.backbone.state_dict()
    torch.save(source, tmp_path / "weights.pth")
    config = TINY.model_copy(update={"pretrained": tmp_path / "weights.pth"})
    first, second = (create_model(config, 3) for _ in range(2))
    for a, b in zip(first.encoder.parameters(), second.encoder.parameters(), strict=True):
        assert torch.equal(a, b) and a.data_ptr() != b.data_ptr()
    assert not torch.equal(first.head[-1].weight, second.head[-1].weight)


def test_the_default_settings_build_a_network():
    config = ModelConfig(encoder="test_resnet", pretrained=False)
    assert create_model(config, 21).eval()(torch.randn(1, 3, 33, 33)).logits.shape == (1, 21, 9, 9)


def test_the_encoders_batchnorm_follows_as_fast_as_asked():
    model = create_model(TINY.model_copy(update={"batchnorm_momentum": 0.05}), 3)
    assert model.encoder.backbone.bn1.momentum == 0.05
    assert model.decoder.aspp.fuse[1].momentum == 0.1


def test_the_chosen_decoder_is_named_without_loading_weights():
    config = ModelConfig(encoder="test_resnet", pretrained=Path("not-there.pth"))
    named = name_decoder(config)
    assert named.decoder.name == "deeplabv3plus" and named.pretrained == config.pretrained
    assert create_model(named.model_copy(update={"pretrained": False}), 3).head[-1].weight.is_cpu
    assert name_decoder(named) is named


def test_pretrained_weights_bring_their_normalization_and_random_ones_the_usual_one(tmp_path):
    random = create_model(TINY, 3)
    assert random.encoder.normalization != IMAGENET == random.normalization
    torch.save(random.encoder.backbone.state_dict(), tmp_path / "weights.pt")
    config = TINY.model_copy(update={"pretrained": tmp_path / "weights.pt"})
    assert create_model(config, 3).normalization == random.encoder.normalization
