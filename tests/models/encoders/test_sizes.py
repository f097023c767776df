"""Image sizes that networks take, found by trying, and images brought to them."""

import pytest
import torch
from torch import nn

from fewmask.models.encoders.sizes import Sizes, Trial


class Picky(nn.Module):
    """Halves images twice, if their sides are multiples of a unit and not too small."""

    def __init__(self, unit: int, least: int = 1):
        super().__init__()
        self.unit, self.least = unit, least
        self.norm = nn.BatchNorm2d(3)

    def forward(self, image):
        for side in image.shape[2:]:
            if side % self.unit or side < self.least:
                raise RuntimeError(f"{side} is not to my taste\nat all")
        x = nn.functional.avg_pool2d(self.norm(image), 4, ceil_mode=True)
        return [x + torch.rand_like(x)]


def sizes(network: nn.Module, units=(1, 4, 8, 14, 16, 32, 64, 224), channels=3, stride=4) -> Sizes:
    return Trial(network, network, [channels], [stride], 3).sizes(units)


@pytest.mark.parametrize("unit", [1, 4, 14, 32, 224])
def test_the_unit_is_found(unit):
    assert sizes(Picky(unit)) == (unit, unit)


def test_the_smallest_side_is_found():
    assert sizes(Picky(1, least=20)) == (1, 32)
    assert sizes(Picky(16, least=40)) == (16, 64)


def test_without_a_unit_the_reason_is_told_in_a_line():
    with pytest.raises(ValueError, match=r"^128 is not to my taste$"):
        sizes(Picky(300), units=(16, 32))


@pytest.mark.parametrize("wrong", [{"channels": 4}, {"stride": 8}])
def test_maps_must_be_what_the_encoder_says(wrong):
    with pytest.raises(ValueError, match=r"gives a feature map of \[3, 25, 21\] at stride"):
        sizes(Picky(1), units=(4,), **wrong)


@pytest.mark.parametrize("training", [True, False])
def test_trials_leave_no_trace(training):
    network = Picky(1).train(training)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    sizes(network)
    assert torch.equal(torch.rand(1), expected)
    assert network.norm.num_batches_tracked == 0 and network.norm.training is training


def test_small_units_resize_with_corners_aligned():
    ramp = torch.linspace(0, 1, 65).expand(1, 1, 65, 65)
    fitted = Sizes(4, 4).fit(ramp)
    torch.testing.assert_close(fitted[0, 0, 0], torch.linspace(0, 1, 64))
    assert Sizes(14, 14).fit(torch.zeros(1, 1, 7, 20)).shape[2:] == (14, 14)  # half up
    assert Sizes(1, 1).fit(ramp) is ramp


def test_large_units_pad_and_maps_are_cut_again():
    image = torch.rand(1, 3, 65, 170)
    padded = Sizes(160, 160).fit(image)
    assert padded.shape[2:] == (160, 320) and torch.equal(padded[..., :65, :170], image)
    assert padded.sum() == pytest.approx(image.sum().item())
    (cut,) = Sizes(160, 160).cut([torch.zeros(1, 3, 40, 80)], image, [4])
    assert cut.shape[2:] == (17, 43)


def test_images_below_the_smallest_side_are_enlarged():
    assert Sizes(1, 32).fit(torch.zeros(1, 1, 20, 40)).shape[2:] == (32, 40)
