"""What caches hold, what a hub answers, and how long it may take."""

import socket
import threading
import time
from types import SimpleNamespace

import huggingface_hub
import huggingface_hub.constants
import pytest
import torch

from fewmask.models.encoders import hub_weights
from fewmask.models.encoders.hub_weights import ask_hub, cached_file, fetch, timm_options
from fewmask.models.encoders.timm_import import import_timm
from tests.models.encoders.hubs import cached_weights, use_cache


@pytest.fixture
def online(tmp_path, monkeypatch):
    """An empty cache, and a hub whose answers a test makes up."""
    use_cache(tmp_path, monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    return lambda reply: monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", reply)


def test_weights_are_found_in_the_cache_of_the_hub(tmp_path, monkeypatch):
    use_cache(tmp_path, monkeypatch)
    assert cached_file("resnet18") is None
    cached_weights(tmp_path, "timm/resnet18.a1_in1k")
    assert cached_file("resnet18").name == "model.safetensors"
    assert cached_file("resnet18.a1_in1k") == cached_file("resnet18") == fetch("resnet18")
    assert cached_file("resnet18.a2_in1k") is None


def test_weights_are_found_in_the_cache_of_torch(tmp_path, monkeypatch):
    use_cache(tmp_path, monkeypatch)
    (tmp_path / "torch" / "checkpoints").mkdir(parents=True)
    file = tmp_path / "torch" / "checkpoints" / "resnet18_a1_0-d63eafa0.pth"
    model = import_timm().create_model("resnet18")
    torch.save(model.state_dict(), file)
    assert cached_file("resnet18") == file
    loaded = import_timm().create_model("resnet18", **timm_options(file))
    assert torch.equal(loaded.conv1.weight, model.conv1.weight)


def test_offline_no_hub_is_asked(tmp_path, monkeypatch):
    use_cache(tmp_path, monkeypatch)
    assert "HF_HUB_OFFLINE is set" in ask_hub("resnet18").obstacle


def test_a_hub_that_has_the_weights_says_how_large_they_are(online):
    online(lambda url, timeout: SimpleNamespace(size=46_800_000))
    answer = ask_hub("resnet18.a1_in1k")
    assert answer == ("", "model.safetensors", pytest.approx(46.8))


def test_a_hub_that_refuses_is_quoted(online):
    def refuse(url, timeout):
        raise ConnectionError("no route\nto the host")

    online(refuse)
    assert ask_hub("resnet26").obstacle == "the hub cannot be used (no route)"


def test_a_network_that_never_answers_is_given_up(online, monkeypatch):
    asked = threading.Event()
    online(lambda url, timeout: asked.set() or time.sleep(3600))
    monkeypatch.setattr(hub_weights, "PATIENCE", 0.1)
    assert "did not answer within" in ask_hub("resnet34").obstacle and asked.is_set()


def test_a_model_without_weights_is_said_to_have_none():
    assert ask_hub("resnet200").obstacle == "timm knows no weights of resnet200"


def test_a_silent_server_is_not_waited_for_without_end(tmp_path, monkeypatch):
    use_cache(tmp_path, monkeypatch)
    weights = SimpleNamespace(hf_hub_id=None, hf_hub_filename=None, url="http://x/y.pth")
    monkeypatch.setattr(hub_weights, "weights_of", lambda name: weights)
    waits = []

    def download(url, file):
        waits.append(socket.getdefaulttimeout())
        raise TimeoutError

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(TimeoutError):
        fetch("any")
    assert waits == [hub_weights.SILENCE] and socket.getdefaulttimeout() is None
