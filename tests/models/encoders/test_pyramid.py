"""Encoders: timm by name, the user's own, weights from files, and the torchvision trap."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fewmask.engine.sync_batchnorm import SyncBatchNorm
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.pyramid import TimmEncoder
from tests.conftest import TINY


class OwnEncoder(nn.Module):
    """A user's encoder: two stages."""

    def __init__(self, output_stride: int):
        super().__init__()
        self.channels, self.strides = [6, 10], [4, output_stride]
        self.fine = nn.Conv2d(3, 6, 4, stride=4)
        self.coarse = nn.Conv2d(6, 10, output_stride // 4, stride=output_stride // 4)

    def forward(self, image):
        fine = self.fine(image)
        return [fine, self.coarse(fine)]


@pytest.mark.parametrize(("stride", "last"), [(8, 8), (16, 16), (32, 32)])
def test_output_stride(stride, last):
    encoder = TimmEncoder("test_resnet", stride)
    maps = encoder(torch.randn(1, 3, 64, 64))
    assert encoder.strides[0] == 4 and encoder.strides[-1] == last
    for feature, channels, s in zip(maps, encoder.channels, encoder.strides, strict=True):
        assert feature.shape == (1, channels, 64 // s, 64 // s)


def test_the_deep_stem_of_the_papers_is_there():
    encoder = TimmEncoder("resnet50s", 16)
    assert encoder.channels == [256, 512, 1024, 2048] and encoder.strides == [4, 8, 16, 16]


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(UserError, match="resnet50"):
        TimmEncoder("resnet5o", 16)


def test_an_encoder_that_cannot_be_dilated():
    with pytest.raises(UserError, match="output_stride=32"):
        TimmEncoder("test_vit", 8)


def test_the_users_own_encoder():
    config = TINY.model_copy(update={"encoder": "tests.models.encoders.test_pyramid:OwnEncoder"})
    assert create_model(config, 3)(torch.randn(2, 3, 32, 32)).upsampled_logits.shape == (
        2,
        3,
        32,
        32,
    )


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


@pytest.mark.parametrize(("stride", "dilations"), [(16, [2, 4, 8]), (8, [4, 8, 16])])
def test_multi_grid_gives_the_dilations_of_the_papers(stride, dilations):
    backbone = TimmEncoder("resnet50s", stride, multi_grid=(1, 2, 4)).backbone
    assert [block.conv2.dilation[0] for block in backbone.layer4] == dilations
    last = TimmEncoder("resnet50s", stride, multi_grid=(1, 2, 4))(torch.zeros(1, 3, 65, 65))[-1]
    assert last.shape[-1] == (5 if stride == 16 else 9)


def test_multi_grid_needs_a_bottleneck_resnet():
    for encoder in ("resnet18", "xception65"):
        with pytest.raises(UserError, match="model.multi_grid.*bottleneck"):
            TimmEncoder(encoder, 16, multi_grid=(1, 2, 4))


def test_weights_of_another_encoder(tmp_path):
    torch.save(TimmEncoder("test_resnet").backbone.state_dict(), tmp_path / "w.pth")
    with pytest.raises(UserError, match="belongs to another encoder"):
        load_weights(TimmEncoder("resnet18").backbone, tmp_path / "w.pth")
    with pytest.raises(UserError, match="no such file"):
        load_weights(TimmEncoder("test_resnet").backbone, tmp_path / "missing.pth")
    (tmp_path / "bad.pth").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="not a readable weights file"):
        load_weights(TimmEncoder("test_resnet").backbone, tmp_path / "bad.pth")


def test_offline_the_message_names_the_option(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import_timm()
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"model.pretrained=path/to/weights.safetensors"):
        create_model(ModelConfig(encoder="resnet18.a1_in1k", pretrained=True), 3)


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


FAKE_TORCHVISION = """
import importlib.abc, importlib.machinery, sys
class Loader(importlib.abc.Loader):
    def create_module(self, spec): return None
    def exec_module(self, module):
        if {broken}:
            import torch
            try:
                torch.ops.torchvision.nms  # as torchvision does when it registers its fake kernels
            except AttributeError:
                raise RuntimeError("operator torchvision::nms does not exist")
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torchvision": return importlib.machinery.ModuleSpec(name, Loader())
sys.meta_path.insert(0, Finder())
sys.modules["timm"] = type(sys)("timm")
from fewmask.models.encoders import timm_encoder
timm_encoder.import_timm()
print(timm_encoder._torchvision_schemas is not None)
"""


@pytest.mark.parametrize("broken", [True, False])
def test_torchvision_is_helped_only_when_it_is_broken(broken):
    assert python(FAKE_TORCHVISION.format(broken=broken)).strip() == str(broken)


def test_timm_can_be_imported_in_this_environment():
    assert (
        python(
            "from fewmask.models.encoders.timm_encoder import import_timm\n"
            "print(import_timm().__name__)"
        )
        == "timm\n"
    )


def stepped(model, images):
    """Gradients and state after a forward and a backward pass in training mode."""
    torch.manual_seed(1)
    model.train()
    model(images).upsampled_logits.square().mean().backward()
    return [p.grad for p in model.parameters()], model.state_dict()


@pytest.mark.parametrize("encoder", ["resnet18", "test_resnet", "mobilenetv3_small_100"])
def test_checkpointing_changes_nothing_but_memory(encoder):
    models = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        models.append(create_model(ModelConfig(encoder=encoder, checkpointing=checkpointing), 3))
    images = torch.randn(2, 3, 65, 65)
    (plain, state), (again, state_again) = (stepped(model, images) for model in models)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))
    assert state.keys() == state_again.keys()  # a checkpoint of one fits the other
    assert all(torch.equal(state[key], state_again[key]) for key in state)


@pytest.mark.parametrize("over_processes", [False, True])
@pytest.mark.parametrize("encoder", ["resnet18", "convnext_atto", "mobilenetv3_small_100"])
def test_frozen_stages_stay_as_they_are(encoder, over_processes):
    stride = 32 if encoder == "convnext_atto" else 16
    config = ModelConfig(encoder=encoder, output_stride=stride, frozen_stages=2)
    model = create_model(config, 3)
    if over_processes:  # other modules stand where BatchNorm stood
        model = SyncBatchNorm.convert(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    for _ in range(2):
        model.train()
        model(torch.randn(2, 3, 65, 65)).upsampled_logits.square().mean().backward()
        optimizer.step()
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    names = model.encoder.backbone.feature_info.module_name()
    stages = [names[i].replace(".", "_") for i in model.encoder.stages]

    def lies_in(stage):
        return {k for k in before if k.replace(".", "_").startswith(f"encoder_backbone_{stage}_")}

    assert lies_in(stages[0]) and not lies_in(stages[0]) & moved
    assert lies_in(stages[1]) and not lies_in(stages[1]) & moved
    assert lies_in(stages[2]) & moved and {k for k in moved if k.startswith("decoder")}
    first = ("encoder.backbone.conv1", "encoder.backbone.bn1", "encoder.backbone.stem")
    assert not any(k.startswith(first) or "stem" in k for k in moved)
    with pytest.raises(UserError, match="has 4 stages|has 5 stages|stages"):
        create_model(ModelConfig(encoder="resnet18", frozen_stages=9), 3)
