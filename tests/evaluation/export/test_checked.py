"""A file is kept only if it agrees; one that agrees at one size alone is bound to this size."""

import pytest
import torch
from torch import nn

from fewmask.data import Classes
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig
from fewmask.evaluation.export.card import card_of
from fewmask.evaluation.export.checked import write_checked
from fewmask.evaluation.export.torchscript_file import TorchScriptFile
from fewmask.evaluation.predictor import Predictor
from fewmask.models import Output
from tests.evaluation.export.conftest import photos


class BySize(nn.Module):
    """Its logits depend on the height as a Python number, which a recording takes for constant."""

    def forward(self, image):
        return Output(image * float(int(image.shape[2])), image)


class Fickle(nn.Module):
    """Says something else at every call."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, image):
        self.calls += 1
        return Output(image + torch.randn(1, 3, 1, 1) * 10 * self.calls, image)


def written(network, file, said):
    card = card_of(Predictor(network, Classes("rgb"), EvaluationConfig(), None, "cpu"), "0123")
    return write_checked("torchscript", network, card, photos(1, 20, 30)[0], file, said.append)


def test_three_sizes_are_compared(onnx_made, torchscript_made):
    for made in (onnx_made, torchscript_made):
        assert len(made.parity) == 3 and all(parity.holds for parity in made.parity)
        assert "largest difference of logits" in str(made.parity[0])


def test_a_network_for_one_size_is_bound_to_it_and_this_is_said(tmp_path):
    said = []
    found = written(BySize(), tmp_path / "x.torchscript", said)
    assert len(found) == 1 and "20 x 30 pixels (height x width) alone" in said[0]
    assert TorchScriptFile(tmp_path / "x.torchscript").card["size"] == [20, 30]


def test_a_network_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be written as torchscript: .*differs"):
        written(Fickle(), tmp_path / "x.torchscript", [])
