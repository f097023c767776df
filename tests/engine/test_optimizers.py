"""Parameter groups and learning-rate schedules."""

import math

import pytest
import torch

from fewmask.engine.optimizers import lr_factor, make_optimizer
from fewmask.engine.settings import TrainingConfig
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.encoders.vit import ViTEncoder


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.001), (1, 0.000990995), (10, 0.000909533), (50, 0.000535887), (99, 0.000015849)],
)
def test_poly_schedule(step, expected):
    assert 0.001 * lr_factor(step, TrainingConfig(steps=100)) == pytest.approx(expected, abs=1e-9)


def test_warmup_then_cosine():
    config = TrainingConfig(steps=110, warmup_steps=10, schedule="cosine")
    factors = [lr_factor(step, config) for step in range(110)]
    assert factors[:10] == sorted(factors[:10]) and factors[0] == 1 / 11
    assert factors[10] == 1 and factors[60] == pytest.approx(0.5)
    assert factors[109] == pytest.approx((1 + math.cos(math.pi * 0.99)) / 2)


def test_head_and_decoder_learn_faster_and_every_parameter_once(student):
    optimizer = make_optimizer([student], TrainingConfig(lr=0.001, head_lr_factor=10))
    assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.01]
    assert {id(p) for p in optimizer.param_groups[0]["params"]} == {
        id(p) for p in student.encoder.parameters()
    }
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(student.parameters()))


def test_layers_near_the_image_learn_slower():
    """Twelve blocks of DINOv2 at 0.8, each with and without weight decay, as EoMT and timm."""
    encoder = ViTEncoder("vit_small_patch14_dinov2")
    network = torch.nn.ModuleDict({"encoder": encoder, "head": torch.nn.Conv2d(384, 3, 1)})
    config = TrainingConfig(optimizer="adamw", lr=1e-4, layer_decay=0.8, weight_decay=0.05)
    *layers, head = make_optimizer([network], config).param_groups
    assert len(layers) == 26
    scales = sorted({group["lr"] / 1e-4 for group in layers})
    assert scales == pytest.approx([0.8**i for i in range(12, -1, -1)])
    assert scales[:2] == pytest.approx([0.0687, 0.0859], abs=5e-5)
    assert layers[0]["lr"] == 1e-4 and head["lr"] == pytest.approx(1e-3)  # the first is logged
    assert all(group["initial_lr"] == group["lr"] for group in layers)
    decayed = {id(p) for g in layers for p in g["params"] if g["weight_decay"] == 0.05}
    assert {id(p) for p in encoder.parameters() if p.ndim > 1} - decayed == {
        id(encoder.backbone.pos_embed),
        id(encoder.backbone.cls_token),
    }
    assert all(p.ndim > 1 for p in encoder.parameters() if id(p) in decayed)


@pytest.mark.parametrize("options", [{}, {"frozen_stages": 2}, {"checkpointing": True}])
def test_layer_decay_of_a_pyramid_holds_every_trained_parameter_once(options):
    config = ModelConfig(encoder="test_convnext", pretrained=False, **options)
    network = create_model(config, 3)
    groups = make_optimizer([network], TrainingConfig(layer_decay=0.5)).param_groups
    held = [id(p) for group in groups for p in group["params"]]
    assert len(held) == len({*held})
    assert {*held} == {id(p) for p in network.parameters() if p.requires_grad}
    slowest = 0.5**9 if not options.get("frozen_stages") else 0.5**5
    assert min(group["lr"] for group in groups) == pytest.approx(0.001 * slowest)


def test_layer_decay_needs_an_encoder_that_knows_its_layers(student):
    network = torch.nn.ModuleDict({"encoder": torch.nn.Conv2d(3, 3, 1)})
    with pytest.raises(UserError, match="training.layer_decay=0.8: only some encoders of timm"):
        make_optimizer([network], TrainingConfig(layer_decay=0.8))


def test_a_frozen_encoder_has_no_group(student):
    student.encoder.requires_grad_(False)
    for decay in (1.0, 0.8):
        (group,) = make_optimizer([student], TrainingConfig(layer_decay=decay)).param_groups
        assert group["lr"] == pytest.approx(0.01)
