"""The contract of an encoder, kept by a class of the user."""

import copy

import pytest
import torch
from torch import nn

from fewmask.errors import UserError
from fewmask.models import create_model
from fewmask.models.encoders.encoder import stages_of
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


def test_the_users_own_encoder():
    config = TINY.model_copy(update={"encoder": "tests.models.encoders.test_encoder:OwnEncoder"})
    assert create_model(config, 3)(torch.randn(2, 3, 32, 32)).upsampled_logits.shape == (
        2,
        3,
        32,
        32,
    )


def test_the_stages_are_what_the_encoder_says():
    assert stages_of(OwnEncoder(16), "own") == ((6, 10), (4, 16))


class Silent(OwnEncoder):
    """An encoder that does not tell its strides."""

    def __init__(self, output_stride: int):
        super().__init__(output_stride)
        del self.strides


def test_an_encoder_that_does_not_tell_its_strides_is_refused():
    config = TINY.model_copy(update={"encoder": "tests.models.encoders.test_encoder:Silent"})
    with pytest.raises(UserError, match=r"Silent has no attribute 'strides'.*finest first"):
        create_model(config, 3)


@pytest.mark.parametrize("option", [{"frozen_stages": 1}, {"checkpointing": True}])
def test_options_for_timm_encoders_are_refused_with_ones_own(option):
    name = "tests.models.encoders.test_encoder:OwnEncoder"
    with pytest.raises(UserError, match="work with timm encoders only"):
        create_model(TINY.model_copy(update={"encoder": name, **option}), 3)


def test_ones_own_encoder_can_be_frozen_as_a_whole():
    name = "tests.models.encoders.test_encoder:OwnEncoder"
    model = create_model(TINY.model_copy(update={"encoder": name, "frozen_stages": "all"}), 3)
    for network in (model, copy.deepcopy(model)):
        network.train()
        network.encoder.train()  # as a method may call it
        assert not any(module.training for module in network.encoder.modules())
        assert not any(stage.requires_grad for stage in network.encoder(torch.randn(1, 3, 32, 32)))
        assert network.decoder.training
    assert network.encoder is not model.encoder


@pytest.mark.parametrize(
    "option", [{"drop_path": 0.1}, {"ceil_pool": True}, {"multi_grid": (1, 2, 4)}]
)
def test_options_that_are_passed_to_timm_are_refused_with_ones_own(option):
    name = "tests.models.encoders.test_encoder:OwnEncoder"
    with pytest.raises(UserError, match=f"model.{next(iter(option))} does not apply .* your own"):
        create_model(TINY.model_copy(update={"encoder": name, **option}), 3)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fewmask.batch:normalize", "this is not a class that derives from torch.nn"),
        ("fewmask.batch:nothing", "module 'fewmask.batch' has no 'nothing'"),
        ("no_lab:Encoder", "there is no module 'no_lab'"),
    ],
)
def test_a_wrong_encoder_is_reported_under_its_option(name, says):
    with pytest.raises(UserError, match=f"^model.encoder={name}: {says}"):
        create_model(TINY.model_copy(update={"encoder": name}), 3)
