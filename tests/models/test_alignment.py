"""No prediction is displaced, whatever the size of the image."""

import numpy as np
import pytest
import torch
from torch import nn

from fewmask.batch import IMAGENET, Normalization
from fewmask.data import Classes
from fewmask.evaluation import predictor as predictors
from fewmask.evaluation.export.plain import PlainNetwork
from fewmask.evaluation.inference import InferenceConfig, probs_at
from fewmask.evaluation.predictor import Predictor
from fewmask.models import ModelConfig, Segmenter, create_model
from fewmask.models.decoders.decoder import Decoder
from fewmask.models.encoders.stages import Stages
from tests.models.encoders.small import register

CROP = 65  # 16 n + 1: feature pixels meet image pixels


class Samples(nn.Module):
    """An encoder that samples its image at every 16th pixel."""

    channels, strides = [1, 1], [4, 16]

    def forward(self, image):
        return [image[:, :1, ::4, ::4], image[:, :1, ::16, ::16]]


class Last(Decoder):
    """Hands on the last stage."""

    out_channels, out_stride = 1, 16

    def forward(self, stages):
        return stages[-1]


def known_network(crop):
    """Says class 1 where the image is bright (128 or more)."""
    decoder = Last(Stages((1, 1), (4, 16)), Decoder.Config(name="last"))
    network = Segmenter(Samples(), decoder, 2, normalization=GRAY, crop=crop).eval()
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([0.0, 1000.0]).view(2, 1, 1, 1))
        network.head.bias.zero_()
    return network


GRAY = Normalization((0.5,) * 3, (1.0,) * 3)


def ramp(height, width, column):
    """An image that grows brighter from left to right, and where it is bright: from a column on."""
    values = (128 + np.arange(width) - column).astype(np.uint8)
    image = np.broadcast_to(values[None, :, None], (height, width, 3)).copy()
    return image, image[..., 0] >= 128


def by_probs(config):
    def predict(network, image):
        return probs_at(network, image[None], config, "cpu", image.shape[:2])[0].argmax(0).numpy()

    return predict


def by_tiles(network, image):
    classes = Classes(["dark", "bright"])
    return Predictor(network, classes, InferenceConfig(), None, "cpu").predict(image).mask


def exported(network, image):
    plain = PlainNetwork(network, channels=3)
    return plain(torch.from_numpy(image[None]))[0][0].numpy()


WAYS = {
    "whole": by_probs(InferenceConfig()),
    "sliding": by_probs(InferenceConfig(mode="sliding", window=CROP, stride=48)),
    "shifted": by_probs(InferenceConfig(mode="sliding", window=CROP, stride=48, at_border="shift")),
    "tiled": by_tiles,
    "exported": exported,
}


@pytest.mark.parametrize("way", WAYS)
def test_an_edge_moved_by_a_pixel_moves_its_mask_by_a_pixel(way, monkeypatch):
    monkeypatch.setattr(predictors, "TILE", 40)
    monkeypatch.setattr(predictors, "MARGIN", 9)
    network = known_network(CROP)
    for width in range(65, 98):
        for column in range(20, width - 20, 3):  # the last pixels see the mirror image
            image, truth = ramp(66, width, column)
            assert np.array_equal(WAYS[way](network, image), truth), (width, column)


def test_without_the_rule_masks_are_displaced():
    image, truth = ramp(66, 79, 40)
    assert not np.array_equal(WAYS["whole"](known_network(None), image), truth)


# Their maps begin at the first pixel. Those of patches begin at the center of the first patch.
CORNERED = ("test_resnet", "small_deep_stem", "tf_efficientnet_lite0", "mobilenetv3_small_050",
            "regnety_002", "small_xception", "mvitv2_tiny", "small_pvt")  # fmt: skip


@pytest.mark.parametrize("family", CORNERED)
def test_feature_pixels_are_as_far_apart_at_every_size_as_in_training(family):
    register()
    config = ModelConfig(encoder=family, pretrained=False, decoder="linear")
    network = create_model(config, 2, crop=CROP).eval()

    def spacing(size):
        output = network(torch.randn(1, 3, size, 65))
        seen = (output.padded or (size, 65))[0]
        return (seen - 1) / (output.logits.shape[2] - 1)

    with torch.no_grad():
        expected = spacing(CROP)
        assert {spacing(size) for size in range(66, 98)} == {expected}
        network.crop = None
        assert len({spacing(size) for size in range(66, 98)}) > 1


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (65, 65), (64, 66), (97, 70)])
def test_any_size_comes_out_as_it_went_in(student, size):
    student.crop = CROP
    output = student.eval()(torch.randn(2, 3, *size))
    assert output.upsampled_logits.shape == (2, 3, *size) and output.labels().shape == (2, *size)
    first, _ = output.split(1, 1)
    assert torch.equal(first.upsampled_logits, output.upsampled_logits[:1])
    assert torch.equal(output.labels(), output.upsampled_logits.argmax(dim=1))


def test_crops_and_training_are_left_alone(student):
    student.crop = 48
    image = torch.randn(2, 3, 48, 64)
    assert student.eval()(image).padded == (48, 64)
    assert torch.equal(
        student(image).logits, student.decode(student.encoder(image), (48, 64)).logits
    )
    assert student.train()(torch.randn(2, 3, 50, 51)).padded is None


def test_normalization_travels_with_the_weights(student):
    other = Normalization((0.5, 0.25, 0.75), (0.5, 1.0, 0.25))
    source = Segmenter(student.encoder, student.decoder, 3, normalization=other)
    student.load_state_dict(source.state_dict())
    assert student.normalization == other


def test_weights_without_a_normalization_expect_that_of_imagenet(student):
    state = {k: x for k, x in student.state_dict().items() if not k.startswith("image_")}
    other = Normalization((0.5,) * 3, (0.5,) * 3)
    network = Segmenter(student.encoder, student.decoder, 3, normalization=other)
    network.load_state_dict(state)
    assert network.normalization.mean == pytest.approx(IMAGENET.mean)
    assert network.normalization.std == pytest.approx(IMAGENET.std)
