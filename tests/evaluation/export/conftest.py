"""One network, and the files it is exported to, shared by all tests of this folder."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from fewmask.data import Classes
from fewmask.evaluation import EvaluationConfig
from fewmask.evaluation.export.card import card_of
from fewmask.evaluation.export.checked import write_checked
from fewmask.evaluation.export.parity import Parity
from fewmask.evaluation.predictor import Predictor
from fewmask.models import create_model
from tests.conftest import TINY


class Made(NamedTuple):
    predictor: Predictor
    card: dict[str, Any]
    file: Path
    parity: list[Parity]


def photos(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (count, height, width, 3), np.uint8)


SIZES = [(1, 65, 90), (2, 48, 33), (1, 7, 9)]
"""Batches at the training crop's remainder, at another, and smaller than their own padding."""


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    torch.manual_seed(0)
    network = create_model(TINY, 3, crop=65)
    with torch.no_grad():
        network.head[-1].weight.mul_(100)  # random weights alone give logits close to 0
    return Predictor(network, Classes("abc"), EvaluationConfig(), None, "cpu")


def made(kind, predictor, folder) -> Made:
    file, card = folder / f"best.{kind}", card_of(predictor, "0123")
    image = photos(1, 70, 61)[0]
    found = write_checked(kind, predictor.network, card, image, file)
    return Made(predictor, card, file, found)


@pytest.fixture(scope="session")
def onnx_made(predictor, tmp_path_factory) -> Made:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    return made("onnx", predictor, tmp_path_factory.mktemp("onnx"))


@pytest.fixture(scope="session")
def torchscript_made(predictor, tmp_path_factory) -> Made:
    return made("torchscript", predictor, tmp_path_factory.mktemp("torchscript"))
