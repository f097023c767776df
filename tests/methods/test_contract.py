"""What every method must keep: each test walks all that are registered, so no new one escapes."""

import copy
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fewmask.batch import IGNORE, IMAGENET, Batch, Labeled, StepReport, Unlabeled, to_device
from fewmask.config import find
from fewmask.engine.minimizer import Minimizer
from fewmask.engine.pseudo_quality import pseudo_quality
from fewmask.engine.settings import TrainingConfig
from fewmask.methods import METHODS, TITLES, imas, title_of
from fewmask.models import create_model
from fewmask.parts import processes
from fewmask.parts.losses import SupervisedLoss
from fewmask.parts.precision import exact_float
from tests.conftest import MID_TRAINING, TINY, FakeMinimize, past_warm_up, strong_views

every_method = pytest.mark.parametrize("name", METHODS)


def test_every_method_has_the_name_of_its_paper():
    assert TITLES.keys() == METHODS.keys()
    assert title_of("gta") == "GTA-Seg" and title_of("my_lab:SoftTeacher") == "SoftTeacher"


@every_method
def test_a_step_reports_losses_and_shares_without_gradients(student, batch, minimize, name):
    method = past_warm_up(name, student)
    report = method.step(batch, minimize, MID_TRAINING)
    assert isinstance(report, StepReport) and report.losses
    assert all(x.ndim == 0 for x in report.losses.values())
    for value in report.by_name().values():
        assert not value.requires_grad and torch.isfinite(value.float()).all()
    assert (report.used_pixels is None) == (method.views is None)
    for share in (report.used_pixels, report.easiness):
        assert share is None or ((share >= 0) & (share <= 1)).all()
    assert report.easiness is None or report.easiness.shape == (len(batch.unlabeled.weak),)


@every_method
def test_padding_is_never_used(student, batch: Batch, minimize, name):
    method = past_warm_up(name, student)
    nowhere = torch.zeros_like(batch.unlabeled.valid)
    unlabeled = batch.unlabeled._replace(valid=nowhere)
    # Labels may travel to unlabeled images, so there are none either.
    no_labels = batch.labeled._replace(mask=torch.full_like(batch.labeled.mask, IGNORE))
    padded = batch._replace(labeled=no_labels, unlabeled=unlabeled)
    report = method.step(padded, minimize, MID_TRAINING)
    assert report.used_pixels is None or report.used_pixels == 0
    assert report.losses.get("unlabeled", 0) == 0


@every_method
def test_pseudo_labels_are_labels_of_valid_pixels(student, batch: Batch, minimize, name):
    method = past_warm_up(name, student)
    method.step(batch, minimize, MID_TRAINING)
    pseudo = method.pseudo_labels(batch.unlabeled.weak, batch.unlabeled.valid)
    assert (pseudo is None) == (method.views is None)
    if pseudo is not None:
        label, confidence = pseudo
        assert label.shape == confidence.shape == batch.unlabeled.valid.shape
        assert (label[~batch.unlabeled.valid] == IGNORE).all()
        assert ((label < 3) | (label == IGNORE)).all()
        assert ((confidence >= 0) & (confidence <= 1)).all()


@every_method
def test_gradients_go_only_to_what_is_trained(student, batch: Batch, name):
    """And every trained parameter gets one: nothing is trained for nothing."""
    method = past_warm_up(name, student)
    training = TrainingConfig(steps=100, schedule="constant")
    minimize = Minimizer(Fabric(accelerator="cpu", devices=1), method, training)
    minimize.begin(0)
    trained = {id(p) for t in minimize.trained.values() for p in t.parameters}
    seen: set[int] = set()
    calls: list[nn.Module] = []

    def watched(loss: Tensor, over: nn.Module) -> bool:
        group = next(t for t in minimize.trained.values() if any(m is over for m in t.modules))
        minimize.last_round = False  # keeps the gradients where they are
        minimize(loss, over=over)
        got = {id(p) for p in method.parameters() if p.grad is not None}
        assert got == {id(p) for p in group.parameters}
        seen.update(got)
        calls.append(over)
        method.zero_grad()
        return True

    method.step(batch, watched, MID_TRAINING)
    assert calls and seen == trained
    frozen = [p for p in method.parameters() if id(p) not in trained]
    assert all(p.grad is None for p in frozen)


@every_method
def test_no_two_networks_share_memory(student, batch, minimize, name):
    method = past_warm_up(name, student)
    method.step(batch, minimize, MID_TRAINING)
    places = [x.untyped_storage().data_ptr() for x in method.state_dict().values() if x.numel()]
    assert len(places) == len(set(places))


@every_method
def test_a_method_goes_on_exactly_from_its_state(batch: Batch, name):
    """Whatever it must remember is a parameter or a buffer."""
    torch.manual_seed(0)
    first, second = (past_warm_up(name, create_model(TINY, 3)) for _ in range(2))

    def step(method, number: int) -> StepReport:
        torch.manual_seed(number)
        return method.step(batch, FakeMinimize(lr=0.01), MID_TRAINING._replace(step=number))

    step(first, 50)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    reports = [step(method, 51).by_name() for method in (first, second)]
    assert reports[0].keys() == reports[1].keys()
    assert all(torch.equal(reports[0][key], reports[1][key]) for key in reports[0])
    states = [method.state_dict() for method in (first, second)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@every_method
def test_trains_and_predictors_keep_the_contract(student, name):
    method = past_warm_up(name, student)
    method.require_contract(torch.zeros(1, 3, 33, 33))
    best = next(iter(method.predictors().values()))
    assert best.state_dict().keys() == student.state_dict().keys()
    assert all(module.training for module in method.student.modules())


@every_method
def test_every_option_has_a_sentence(name):
    for field, info in find(name, METHODS, "method").Config.model_fields.items():
        assert info.description and info.description.rstrip().endswith((".", ")")), field


BASE = {"threshold": 0.3}
"""So low that some pixels of an untrained network pass it."""


def options() -> list[tuple[str, str, Any]]:
    """Every option of every method, and another value than its default."""
    found = []
    for name in METHODS:
        for field, info in find(name, METHODS, "method").Config.model_fields.items():
            value = BASE.get(field, info.default)
            if isinstance(value, bool):
                found.append((name, field, not value))
            elif isinstance(value, int):
                found.append((name, field, value + 1))
            elif isinstance(value, float):
                found.append((name, field, value / 2 if value > 1 else 0.1 if value > 0.3 else 0.9))
            elif isinstance(value, tuple):
                found.append((name, field, (0.4, 0.5) if isinstance(value[0], float) else ()))
    return found


def trained(name: str, batch: Batch, **given: Any) -> dict[str, Tensor]:
    """The state of a method after a few steps."""
    torch.manual_seed(0)
    fields = find(name, METHODS, "method").Config.model_fields
    given = {key: value for key, value in BASE.items() if key in fields} | given
    network = create_model(TINY, 3)
    with torch.no_grad():
        network.head[-1].weight *= 30  # or it would give every pixel the same class
    method = past_warm_up(name, network, **given)
    for number in range(4):
        torch.manual_seed(number)
        method.step(batch, FakeMinimize(lr=0.05), MID_TRAINING._replace(step=50 + number))
    return method.state_dict()


@pytest.mark.parametrize(("name", "option", "value"), options())
def test_every_option_changes_what_is_learned(batch: Batch, name, option, value):
    plain, other = trained(name, batch), trained(name, batch, **{option: value})
    assert plain.keys() == other.keys()
    assert any(not torch.equal(plain[key], other[key]) for key in plain)


# A step gets by without float64, which Apple's GPUs lack.


class Doubles(TorchDispatchMode):
    """Notices what gives float64."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        result = function(*args, **(kwargs or {}))
        leaves = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        if any(x.dtype == torch.float64 for x in leaves):
            self.found.append(str(function))
        return result


@pytest.fixture
def like_apple(monkeypatch) -> None:
    """Every module of fewmask finds the float type that it would find on an Apple GPU."""
    for name, module in list(sys.modules.items()):
        if name.startswith("fewmask.") and hasattr(module, "exact_float"):
            monkeypatch.setattr(
                module, "exact_float", lambda device: exact_float(torch.device("mps"))
            )


def backward(loss: Tensor, over: nn.Module) -> bool:
    """A minimize that moves nothing."""
    loss.backward(inputs=[p for p in over.parameters() if p.requires_grad])
    over.zero_grad()
    return True


@every_method
@pytest.mark.usefixtures("like_apple")
def test_a_step_needs_no_doubles(student, batch: Batch, name):
    method = past_warm_up(name, student)
    method.step(batch, backward, MID_TRAINING)  # what is made once is made now, on the host
    with Doubles() as doubles:
        method.step(batch, backward, MID_TRAINING)
    assert doubles.found == []


@every_method
@pytest.mark.usefixtures("like_apple")
def test_judging_pseudo_labels_needs_no_doubles(student, name):
    method = past_warm_up(name, student)
    batches = [uint8_batch(None) for _ in range(4)]
    device = torch.device("cpu")
    pseudo_quality(method, batches, 3, device)  # what is made once is made now, on the host
    with Doubles() as doubles:
        quality = pseudo_quality(method, batches, 3, device)
    assert doubles.found == []
    assert (quality is None) == (method.views is None)


def test_doubles_are_noticed():
    with Doubles() as doubles:
        torch.ones(3).double()
    assert doubles.found


# A step does not wait for its device, and everything it uses lies there. Tensors on torch's device
# "meta" have shapes, but no numbers. So whatever depends on numbers (`.item()`, `if x:`, `x[mask]`,
# `bincount`: all that makes the host wait for a GPU) fails on it.


class OneDevice(TorchDispatchMode):
    """Refuses operations between devices; some of them copy silently, such as indexing."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.ndim]
        assert len({x.device for x in given}) <= 1, f"{function} between devices"
        return function(*args, **(kwargs or {}))


def uint8_batch(present: Tensor | None, strong: int = 1) -> Batch:
    """Photos as the loader gives them."""
    image, mask = torch.zeros(2, 33, 33, 3, dtype=torch.uint8), torch.zeros(2, 33, 33).byte()
    unlabeled = Unlabeled(image, (image,) * strong, mask == 0, torch.tensor([4, 2]), present)
    return Batch(Labeled(image, mask), unlabeled)


@pytest.fixture(params=[True, False], ids=["classes known", "classes unknown"])
def elsewhere(request) -> Batch:
    """Photos moved to a device as training moves them."""
    present = torch.ones(2, 3) > 0 if request.param else None
    return to_device(uint8_batch(present, strong_views(request)), "meta", IMAGENET)


@pytest.fixture
def mixes(monkeypatch):
    """iMAS draws CutMix with the probability mean(h), the one number a step reads."""
    known = SimpleNamespace(gather=processes.gather, mean=lambda h: torch.tensor(1.0))
    monkeypatch.setattr(imas, "processes", known)


@every_method
@pytest.mark.parametrize("loss", [{}, {"kind": "ohem"}, {"class_weights": (1.0, 2.0, 0.5)}])
def test_a_step_reads_nothing_back(elsewhere: Batch, mixes, name, loss: dict):
    student = create_model(TINY.model_copy(update={"aux_head": True}), num_classes=3)
    method = past_warm_up(name, student, supervised_loss=SupervisedLoss(**loss)).to("meta")
    with OneDevice():
        scalars = method.step(elsewhere, backward, MID_TRAINING).by_name()
    assert {x.device.type for x in scalars.values()} == {"meta"}


@pytest.mark.parametrize(
    "read", [lambda x: float(x.sum()), lambda x: x[x > 0], lambda x: x.long().bincount()]
)
def test_a_read_is_noticed(read):
    with pytest.raises(RuntimeError, match="[Mm]eta"):
        read(torch.ones(3, device="meta"))


@pytest.mark.parametrize("mix", [lambda x: x + torch.ones(3), lambda x: x[torch.arange(2)]])
def test_what_lies_elsewhere_is_noticed(mix):
    with pytest.raises(AssertionError, match="between devices"), OneDevice():
        mix(torch.ones(3, device="meta"))
