"""torch.compile changes nothing but the speed."""

import shutil
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

import fewmask
from fewmask.engine.compiling import compile_networks, eagerly
from fewmask.engine.run_precision import compute_in_run_precision
from fewmask.errors import UserError
from fewmask.methods.gta import GTA
from fewmask.methods.imas import IMAS
from fewmask.methods.pcr import PCR
from fewmask.models import create_model
from tests.conftest import TINY, TINY_WORDS

CPU = torch.device("cpu")


@pytest.fixture
def captured(monkeypatch) -> list[nn.Module]:
    """Compiles by tracing alone, which fails where a graph would break; gives what was compiled."""
    compiled: list[nn.Module] = []
    original = nn.Module.compile

    def trace(self: nn.Module, **options: Any) -> None:
        compiled.append(self)
        original(self, backend="aot_eager", fullgraph=True, **options)

    monkeypatch.setattr(nn.Module, "compile", trace)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    yield compiled
    torch.compiler.reset()


def graphs() -> int:
    """Compiled since the counters were cleared."""
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


@pytest.mark.parametrize("method", ["supervised", "imas", "gta"])
def test_a_compiled_step_ends_where_a_plain_one_does(tmp_path, captured, method):
    words = [*TINY_WORDS, f"method={method}", "model.encoder=test_resnet", "training.steps=1"]
    words += ["training.optimizer=sgd"]  # AdamW makes steps of gradients that are rounding errors
    words += ["method.warmup_epochs=0"] if method == "gta" else []
    torch._dynamo.utils.counters.clear()
    plain = fewmask.train("synthetic", *words, out=tmp_path / "plain")
    assert captured == []
    traced = fewmask.train("synthetic", *words, "training.compile=true", out=tmp_path / "traced")
    networks = {"supervised": 1, "imas": 2, "gta": 3}[method]
    assert len(captured) == networks * 4  # each network, its encoder, decoder and head
    assert graphs() >= min(2, networks)  # in training, and a teacher.s without gradients
    one, two = (
        torch.load(run.folder / "weights" / "last.pt", weights_only=False)["method"]
        for run in (plain, traced)
    )
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(two[key], one[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{}, {"aux_head": True}, {"frozen_stages": 1}, {"multi_grid": (1, 2, 4)}]
)
def test_a_segmenter_is_one_graph(captured, settings):
    if "multi_grid" in settings:
        settings["encoder"] = "resnet50"
    model = create_model(TINY.model_copy(update=settings), 3)
    model.compile()
    image = torch.randn(2, 3, 33, 33)
    for training in (True, False):
        model.train(training)
        assert model(image).upsampled_logits.shape == (2, 3, 33, 33)


def test_a_network_compiles_in_bf16_whole_and_in_parts(captured, student):
    compute_in_run_precision(student, Fabric(accelerator="cpu", devices=1, precision="bf16-mixed"))
    image = torch.randn(2, 3, 33, 33)
    student.eval()
    plain = student(image).logits
    for network in (student, *student.children()):
        network.compile()
    in_parts = student.decode(student.encoder(image), image.shape[-2:]).logits
    for logits in (student(image).logits, in_parts):
        torch.testing.assert_close(logits, plain, rtol=0.05, atol=0.05)  # bf16 fuses differently


def test_uncompiled_where_sizes_change(captured, student):
    student.compile()
    student.eval()
    torch._dynamo.utils.counters.clear()
    with torch.no_grad():
        with eagerly():
            for side in (33, 40, 47):
                student(torch.randn(1, 3, side, side))
        assert graphs() == 0
        student(torch.randn(1, 3, 33, 33))
        assert graphs() == 1


@pytest.mark.parametrize("kind", [IMAS, GTA, PCR])
def test_weights_keep_their_names(captured, student, kind):
    method = kind(lambda: student, kind.Config(name="x"))
    names = list(method.state_dict())
    compile_networks(method, CPU)
    assert list(method.state_dict()) == names


def test_what_cannot_be_compiled_is_said(monkeypatch, student, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    with pytest.raises(UserError, match="needs a C.. compiler"):
        compile_networks(method, CPU)
    words = [*TINY_WORDS, "training.compile=true", "model.checkpointing=true"]
    with pytest.raises(
        UserError, match="training.compile and model.checkpointing cannot be combined"
    ):
        fewmask.train("synthetic", *words, out=tmp_path / "run")
