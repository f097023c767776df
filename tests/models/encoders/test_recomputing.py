"""Activations computed again change nothing but memory."""

import pytest
import torch

from fewmask.models import ModelConfig, create_model


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
        config = ModelConfig(encoder=encoder, pretrained=False, checkpointing=checkpointing)
        models.append(create_model(config, 3))
    images = torch.randn(2, 3, 65, 65)
    (plain, state), (again, state_again) = (stepped(model, images) for model in models)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))
    assert state.keys() == state_again.keys()  # a checkpoint of one fits the other
    assert all(torch.equal(state[key], state_again[key]) for key in state)
