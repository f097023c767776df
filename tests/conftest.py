"""What several tests use: tiny networks, tiny data, a fake minimize."""

import copy
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fewmask.batch import Batch, Labeled, Progress, Unlabeled
from fewmask.config import find, trust
from fewmask.methods import METHODS, Method
from fewmask.models import ModelConfig, Segmenter, create_model
from fewmask.models.decoders.deeplabv3plus import DeepLabV3Plus

os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks a hub, whatever its settings

TINY = ModelConfig(
    encoder="test_resnet",
    pretrained=False,
    decoder=DeepLabV3Plus.Config(channels=8, low_level_channels=4),
)
TINY_WORDS = (
    "loader.crop=48",
    "loader.labeled_batch=2",
    "loader.unlabeled_batch=2",
    "model.decoder.channels=8",
    "model.decoder.low_level_channels=4",
    "data.size=48",
    "data.labeled=6",
    "data.unlabeled=7",
    "data.val=4",
    "machine.workers=0",
    "machine.accelerator=cpu",
    "training.log_every=1",
    "training.precision=fp32",
)
"""Overrides that make the `synthetic` recipe take seconds."""


@pytest.fixture(autouse=True, scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The runs that tests share are their own; what the user of this machine trusts is not."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has written and trusted nothing yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trust, "_written", {})


@pytest.fixture(autouse=True)
def own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No test knows what another one has checked, or may import."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("FEWMASK_TRUST", "")
    before = {*sys.path}
    yield
    # What packages have added for themselves stays, as they add it once.
    sys.path[:] = [place for place in sys.path if place in before or "site-packages" in place]


@pytest.fixture
def student() -> Segmenter:
    torch.manual_seed(0)
    return create_model(TINY, num_classes=3)


@pytest.fixture
def batch(request: pytest.FixtureRequest) -> Batch:
    """Two labeled and two unlabeled 33 x 33 images, 3 classes, some padding."""
    torch.manual_seed(1)
    valid = torch.ones(2, 33, 33, dtype=torch.bool)
    valid[:, 30:] = False
    mask = torch.randint(0, 3, (2, 33, 33))
    mask[:, 30:] = 255
    weak, strong = torch.randn(2, 2, 3, 33, 33)
    labeled = Labeled(torch.randn(2, 3, 33, 33), mask)
    others = (torch.randn_like(strong) for _ in range(1, strong_views(request)))
    return Batch(labeled, Unlabeled(weak, (strong, *others), valid, torch.tensor([4, 2])))


def strong_views(request: pytest.FixtureRequest) -> int:
    """As many as the method asks for that a test has as a parameter, at least one."""
    given = getattr(request.node, "callspec", None)
    names = {str(value) for value in given.params.values()} if given else set()
    asked = [find(name, METHODS, "method").views for name in names & METHODS.keys()]
    return max((len(views.strong) for views in asked if views), default=1) or 1


class FakeMinimize:
    """Plain SGD, remembers what it was asked to minimize."""

    def __init__(self, lr: float = 0.1):
        self.lr = lr
        self.calls: list[tuple[float, nn.Module]] = []

    def __call__(self, loss: Tensor, over: nn.Module) -> bool:
        self.calls.append((loss.item(), over))
        parameters = [p for p in over.parameters() if p.requires_grad]
        loss.backward(inputs=parameters)
        with torch.no_grad():
            for p in parameters:
                if p.grad is not None:
                    p -= self.lr * p.grad
                p.grad = None
        return True


MID_TRAINING = Progress(step=50, total_steps=100, steps_per_epoch=10)


def past_warm_up(name: str, student: Segmenter, **options: Any) -> Method:
    """A method by name that uses unlabeled images from its first step on.

    What it needs for that is asked of its Config, so that the tests also see new methods.
    """
    kind = find(name, METHODS, "method")
    fields = kind.Config.model_fields
    early = {"warmup_epochs": 0, "copy_epochs": 0, "cells": 4}
    options = {key: value for key, value in early.items() if key in fields} | options
    networks = iter([student])
    method: Method = kind(
        lambda: next(networks, None) or reborn(student), kind.Config(name=name, **options)
    )
    return method


def reborn(network: Segmenter) -> Segmenter:
    """A network of the same layout with other random weights, as `create_network` makes one."""
    made = copy.deepcopy(network)
    for module in made.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return made


def short_run_words(name: str) -> tuple[str, ...]:
    """Overrides with which a method uses unlabeled images within a dozen steps."""
    fields = find(name, METHODS, "method").Config.model_fields
    early = {"threshold": 0.3, "cells": 8, "copy_epochs": 0, "warmup_epochs": 1, "ema_decay": 0.9}
    early["teacher_batch_statistics"] = True
    options = [f"method.{key}={value}".lower() for key, value in early.items() if key in fields]
    return (f"method={name}", *options)


@pytest.fixture
def minimize() -> FakeMinimize:
    return FakeMinimize()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with eight images of two sizes, five of them with masks of two classes."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos" / "images").mkdir(parents=True)
    (tmp_path / "photos" / "masks").mkdir()
    for i in range(8):
        height, width = (40, 60) if i % 2 else (50, 50)
        image = rng.integers(0, 255, (height, width, 3)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "photos" / "images" / f"p{i}.jpg")
        if i < 5:
            mask = np.zeros((height, width), np.uint8)
            mask[5:20, 5:30] = 1
            Image.fromarray(mask).save(tmp_path / "photos" / "masks" / f"p{i}.png")
    return tmp_path / "photos"


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every item of long work has a line, as if time had passed."""
    monkeypatch.setattr("fewmask.engine.screen.SILENCE", 0.0)
