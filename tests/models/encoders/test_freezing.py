"""Frozen stages keep their weights and statistics."""

import pytest
import torch

from fewmask.engine.sync_batchnorm import SyncBatchNorm
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.freezing import names_up_to
from fewmask.models.encoders.pyramid import TimmEncoder


@pytest.mark.parametrize("over_processes", [False, True])
@pytest.mark.parametrize("encoder", ["resnet18", "convnext_atto", "mobilenetv3_small_100"])
def test_frozen_stages_stay_as_they_are(encoder, over_processes):
    stride = 32 if encoder == "convnext_atto" else 16
    config = ModelConfig(encoder=encoder, pretrained=False, output_stride=stride, frozen_stages=2)
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
    with pytest.raises(UserError, match="this encoder has 4 stages"):
        create_model(ModelConfig(encoder="resnet18", pretrained=False, frozen_stages=9), 3)


def test_modules_before_a_stage_are_named_by_the_outermost():
    backbone = TimmEncoder("test_resnet").backbone
    assert names_up_to(backbone, "layer1") == ["conv1", "bn1", "act1", "maxpool", "layer1"]
