"""Weights from files of several conventions, and messages about those that do not fit."""

import pytest
import torch
from safetensors.torch import save_file

from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.weights import load_weights


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_from_a_file(tmp_path, suffix):
    torch.manual_seed(3)
    source = TimmEncoder("test_resnet").backbone
    weights = {**source.state_dict(), "fc.weight": torch.zeros(2, 2)}  # a head is left out
    file = tmp_path / f"weights.{suffix}"
    save_file(weights, file) if suffix == "safetensors" else torch.save(
        {"state_dict": weights}, file
    )
    loaded = TimmEncoder("test_resnet", 16, pretrained=file).backbone.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in source.state_dict().items())


@pytest.mark.parametrize("layout", ["nested stem", "numbered stem"])
def test_deep_stem_weights_of_the_papers_load(tmp_path, layout):
    """`resnet101.pth` of the U2PL family nests its stem; older files number the convolutions."""
    torch.manual_seed(4)
    source = TimmEncoder("resnet50s").backbone.state_dict()
    weights = {f"module.{key}": t for key, t in source.items() if "num_batches" not in key}
    if layout == "numbered stem":
        numbered = {"conv1.0": "conv1", "conv1.1": "bn1", "conv1.3": "conv2", "conv1.4": "bn2"}
        numbered |= {"conv1.6": "conv3", "bn1": "bn3"}
        weights = {}
        for key, tensor in source.items():
            stem = next((old for old in numbered if key.startswith(f"{old}.")), None)
            weights[numbered[stem] + key.removeprefix(stem) if stem else key] = tensor
        assert "bn3.weight" in weights and "conv1.0.weight" not in weights
    weights["fc.weight"] = torch.zeros(1000, 2048)
    torch.save(weights, tmp_path / "resnet50.pth")
    config = ModelConfig(encoder="resnet50s", pretrained=tmp_path / "resnet50.pth")
    loaded = create_model(config, 3).encoder.backbone.state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in source.items())


def test_weights_of_another_encoder(tmp_path):
    torch.save(TimmEncoder("test_resnet").backbone.state_dict(), tmp_path / "w.pth")
    with pytest.raises(UserError, match="belongs to another encoder"):
        load_weights(TimmEncoder("resnet18").backbone, tmp_path / "w.pth")
    with pytest.raises(UserError, match="no such file"):
        load_weights(TimmEncoder("test_resnet").backbone, tmp_path / "missing.pth")
    (tmp_path / "bad.pth").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="not a file of weights"):
        load_weights(TimmEncoder("test_resnet").backbone, tmp_path / "bad.pth")
