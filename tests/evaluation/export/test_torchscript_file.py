"""A TorchScript file says what our own prediction says, at any size."""

import json

import numpy as np
import pytest
import torch

from fewmask.errors import UserError
from fewmask.evaluation.export.torchscript_file import TorchScriptFile
from fewmask.evaluation.inference import network_input
from tests.evaluation.export.conftest import SIZES, photos


@pytest.mark.parametrize("size", SIZES)
def test_logits_of_any_size_and_number_are_ours(size, torchscript_made):
    images, network = photos(*size), torchscript_made.predictor.network
    with torch.no_grad():
        expected = network(network_input(network, images, "cpu")).upsampled_logits.numpy()
    found = TorchScriptFile(torchscript_made.file)(images)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_the_card_can_be_read_with_torch_alone(torchscript_made):
    extra = {"card.json": ""}
    network = torch.jit.load(str(torchscript_made.file), _extra_files=extra)
    assert json.loads(json.loads(extra["card.json"])["class_names"]) == ["a", "b", "c"]
    mask, confidence, _ = network(torch.from_numpy(photos(1, 20, 30)))
    assert mask.shape == confidence.shape == (1, 20, 30)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.torchscript").write_bytes(b"nothing")
    with pytest.raises(UserError, match="no TorchScript file of ours"):
        TorchScriptFile(tmp_path / "x.torchscript")
