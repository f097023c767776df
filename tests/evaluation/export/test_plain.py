"""The plain network says what the segmenter says, from photos as they are read."""

import pytest
import torch

from fewmask.evaluation.export.plain import PlainNetwork
from fewmask.evaluation.inference import network_input
from fewmask.models import create_model
from tests.conftest import TINY
from tests.evaluation.export.conftest import SIZES, photos
from tests.evaluation.networks import ByColor


@pytest.mark.parametrize("size", [*SIZES, (1, 9, 70), (1, 1, 1), (1, 16, 17)])
def test_photos_are_normalized_padded_and_cut_as_in_our_own_prediction(size, predictor):
    images, network = photos(*size), predictor.network
    with torch.no_grad():
        expected = network(network_input(network, images, "cpu")).upsampled_logits
        mask, confidence, logits = PlainNetwork(network, 3)(torch.from_numpy(images))
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
    assert mask.dtype == torch.uint8 and torch.equal(mask.long(), logits.argmax(dim=1))
    torch.testing.assert_close(confidence, logits.softmax(dim=1).amax(dim=1))


def test_a_network_that_pads_nothing_is_not_padded():
    torch.manual_seed(0)
    network = create_model(TINY, 3, crop=None).eval()
    images = photos(1, 40, 50)
    with torch.no_grad():
        expected = network(network_input(network, images, "cpu")).upsampled_logits
        found = PlainNetwork(network, 3)(torch.from_numpy(images))[2]
    torch.testing.assert_close(found, expected)


def test_the_network_itself_stays_as_it_was(predictor):
    PlainNetwork(predictor.network, 3)
    assert predictor.network.crop == 65
    assert any(parameter.requires_grad for parameter in predictor.network.parameters())


def test_any_module_that_gives_an_output_will_do():
    image = torch.tensor([[[[200, 10, 10], [10, 10, 200]]]], dtype=torch.uint8)
    assert PlainNetwork(ByColor(), 3)(image)[0].tolist() == [[[0, 2]]]
