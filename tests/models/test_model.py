"""From settings to networks: random weights, pretrained weights."""

import torch

from fewmask.models import ModelConfig, create_model
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
