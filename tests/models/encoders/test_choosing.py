"""Which encoder `auto` means, by device and by the weights that can be had."""

import pytest

from fewmask.errors import UserError
from fewmask.models import create_model
from fewmask.models.encoders.choosing import choose_encoder
from tests.conftest import TINY
from tests.models.encoders.hubs import cached_weights, use_cache, with_package, without_packages


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path, monkeypatch):
    """An empty cache, no hub, no package."""
    use_cache(tmp_path / "cache", monkeypatch)
    without_packages(monkeypatch)


def test_a_cpu_gets_the_light_encoder_and_a_gpu_the_large_one(tmp_path, monkeypatch):
    with_package(tmp_path / "packages", monkeypatch)
    on_cpu, on_gpu = (choose_encoder("auto", "auto", device) for device in ("cpu", "cuda"))
    assert on_cpu[:2] == on_gpu[:2] == ("tf_efficientnet_lite0", "package")
    assert "because it trains on a CPU" in on_cpu.notes[0]
    assert "because the weights of resnet50 cannot be had here: HF_HUB_OFFLINE" in on_gpu.notes[0]
    cached_weights(tmp_path / "cache", "timm/resnet50.a1_in1k")
    on_cpu, on_gpu = (choose_encoder("auto", "auto", device) for device in ("cpu", "cuda"))
    assert on_cpu[:2] == ("tf_efficientnet_lite0", "package")
    assert on_gpu[:2] == ("resnet50", "timm")
    assert "because it trains on a GPU" in on_gpu.notes[0]
    assert on_gpu.notes[1].startswith("Encoder resnet50: weights timm/resnet50.a1_in1k from")


def test_without_any_weights_there_is_no_choice():
    for device in ("cpu", "cuda"):
        with pytest.raises(UserError, match="'tf_efficientnet_lite0' cannot be had"):
            choose_encoder("auto", "auto", device)


def test_a_named_encoder_is_never_replaced(tmp_path, monkeypatch):
    with_package(tmp_path / "packages", monkeypatch)
    with pytest.raises(UserError, match="'resnet50' cannot be had"):
        choose_encoder("resnet50", "auto", "cpu")


def test_random_weights_only_for_those_who_ask_for_them():
    chosen = choose_encoder("auto", False, "cuda")
    assert chosen[:2] == ("resnet50", False) and len(chosen.notes) == 1
    assert choose_encoder("resnet18", False, "cpu") == ("resnet18", False, [])


def test_a_file_belongs_to_an_encoder_that_must_be_named(tmp_path):
    file = tmp_path / "weights.pth"
    with pytest.raises(UserError, match="no such file.*model.pretrained=false"):
        choose_encoder("auto", file, "cpu")
    file.touch()
    with pytest.raises(UserError, match="which encoder was this file made for"):
        choose_encoder("auto", file, "cpu")
    assert choose_encoder("resnet18", file, "cpu").pretrained == file


def test_ones_own_encoder_has_its_own_weights():
    chosen = choose_encoder("my_lab:Encoder", "auto", "cpu")
    assert chosen[:2] == ("my_lab:Encoder", False) and "its own class" not in chosen.notes[0]
    assert "starts from the weights it gives itself" in chosen.notes[0]


def test_a_network_of_the_default_encoder_can_be_built_at_once():
    config = TINY.model_copy(update={"encoder": "auto"})
    assert create_model(config, 3).encoder.strides[0] == 4


def test_a_license_is_shown_with_the_choice(tmp_path):
    name = "convnext_tiny.dinov3_lvd1689m"
    cached_weights(tmp_path / "cache", f"timm/{name}", depths=(1, 1, 1, 1), dims=(8, 8, 8, 8))
    assert "dinov3-license" in choose_encoder(name, "auto", "cpu").notes[1]
