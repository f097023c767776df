"""An ONNX file predicts like the network it was made from."""

import pytest
import torch

from fewmask.data import Classes
from fewmask.evaluation import EvaluationConfig
from fewmask.evaluation.export.onnx_network import OnnxNetwork
from fewmask.evaluation.predictor import Predictor
from tests.evaluation.export.conftest import SIZES, photos

WAYS = [
    {},
    {"flip": True},
    {"mode": "sliding", "window": 40, "stride": 30},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("long_side", [None, 50])
def test_masks_and_confidences_are_equal_however_an_image_is_predicted(way, long_side, onnx_made):
    network = OnnxNetwork(onnx_made.file)
    config = EvaluationConfig(**way)
    torch_based, onnx_based = (
        Predictor(net, Classes("abc"), config, long_side, "cpu")
        for net in (onnx_made.predictor.network, network)
    )
    for size in SIZES:
        for image in photos(*size):
            ours, theirs = torch_based.predict(image), onnx_based.predict(image)
            assert (ours.mask == theirs.mask).all()
            assert abs(ours.confidence - theirs.confidence).max() < 1e-4


def test_two_files_are_told_apart(onnx_made, tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(onnx_made.file.read_bytes().replace(b'"0123"', b'"4567"'))
    one, two = (OnnxNetwork(file).state_dict()["digest"] for file in (onnx_made.file, other))
    assert one.numel() == 32 and not torch.equal(one, two)
