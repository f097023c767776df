"""The switches of GTA-Seg change what its ablations say, and nothing else."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Progress
from fewmask.methods.ablations.gta import Ablation
from fewmask.methods.gta import GTA, gentle_loss, gentle_weights
from fewmask.models import create_model
from fewmask.parts.mixing import cutmix_with_next
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label
from tests.conftest import TINY, FakeMinimize
from tests.methods.test_gta import SCALARS, Momentum, numbers, scalar_method

START = Progress(step=0, total_steps=100, steps_per_epoch=3)

# Four pixels: two are kept, one is dropped, one is padding.
PSEUDO = PseudoLabel(
    torch.tensor([[[0, 1], [0, IGNORE]]]), torch.tensor([[[0.9, 0.7], [0.5, 0.6]]])
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1.9, 1.7, 1, 1.6]),
        ({"weights": "confidence"}, [0.9, 0.7, 0, 0.6]),
        ({"weights": "equal"}, [1, 1, 1, 1]),
        ({"over_kept": True}, [1.9, 1.7, 0, 0]),
        ({"over_kept": True, "weights": "confidence"}, [0.9, 0.7, 0, 0]),
        ({"over_kept": True, "weights": "equal"}, [1, 1, 0, 0]),
    ],
)
def test_weights(options: dict[str, Any], expected: list[float]):
    """And the same pixels are kept whatever their weights are."""
    target, weight, _ = gentle_weights(PSEUDO, 60, Ablation(**options))
    assert target.flatten().tolist() == [0, 1, IGNORE, IGNORE]
    torch.testing.assert_close(weight.flatten(), torch.tensor(expected, dtype=torch.float32))
    logits = torch.tensor([[[[2.0, 0], [1, 1]], [[0, 1], [0, 0]]]])
    ce = logits.log_softmax(1)[0, [0, 1], 0, [0, 1]]
    loss = -(ce * torch.tensor(expected[:2])).sum() / sum(expected)
    torch.testing.assert_close(gentle_loss(logits, target, weight), loss)


@pytest.mark.parametrize("options", [{"over_kept": True}, {"weights": "confidence"}])
def test_a_loss_without_pixels_is_zero(options: dict[str, Any]):
    nothing = PSEUDO._replace(label=torch.full_like(PSEUDO.label, IGNORE))
    if "weights" in options:
        nothing = nothing._replace(confidence=torch.zeros_like(nothing.confidence))
    target, weight, _ = gentle_weights(nothing, 80, Ablation(**options))
    assert gentle_loss(torch.zeros(1, 2, 2, 2), target, weight) == 0


def method(**switches: Any) -> GTA:
    torch.manual_seed(0)
    network = create_model(TINY, num_classes=3)
    return GTA(lambda: network, GTA.Config(name="gta", ablation=Ablation(**switches)))


def take(gta: GTA, batch: Batch, step: int) -> dict[str, Tensor]:
    torch.manual_seed(step)
    return gta.step(batch, FakeMinimize(0.05), START._replace(step=step)).by_name()


def test_switches_of_the_weights_change_the_loss_of_the_assistant_alone(batch: Batch):
    """The student's loss and the pseudo-labels of the first step are those of the paper."""
    plain, *others = (
        take(method(**switches), batch, step=3)
        for switches in ({}, {"weights": "equal"}, {"weights": "confidence"}, {"over_kept": True})
    )
    for other in others:
        assert other["loss_assistant"] != plain["loss_assistant"]
        assert other["used_pixels"] == plain["used_pixels"]


def test_without_an_assistant_the_student_learns_from_both_in_one_step(batch: Batch):
    gta = method(no_assistant=True)
    take(gta, batch, step=0)
    before, minimize = copy.deepcopy(gta.student), FakeMinimize(0.05)
    assistant = copy.deepcopy(gta.assistant.state_dict())
    torch.manual_seed(5)
    report = gta.step(batch, minimize, START._replace(step=5)).by_name()
    ((loss, over),) = minimize.calls
    assert over is gta.student
    expected = report["loss_labeled"] + report["loss_assistant"]
    assert loss == pytest.approx(expected.item(), abs=1e-6) and report["loss_assistant"] > 0
    # No features flow: the student has moved by its gradient alone, and the assistant not at all.
    for ours, theirs in zip(assistant.values(), gta.assistant.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert list(gta.predictors()) == ["teacher", "student"]
    assert any(
        not torch.equal(a, b)
        for a, b in zip(before.parameters(), gta.student.parameters(), strict=True)
    )


def test_the_released_code_on_scalar_networks(monkeypatch):
    """Numbers of the official loop, whose student and assistant share the mask predictor."""
    gta, minimize = scalar_method(monkeypatch, ablation=Ablation(as_released=True)), Momentum()
    with torch.no_grad():
        gta.assistant.encoder.e.fill_(0.8)
        gta.teacher.network.head.c.copy_(torch.tensor([2.0, -2.0]))
    expected = [
        (0.186531, 0.463160, (1.009714, 1.050884), (1.009714, 1.050884), (1.017069, 1.050884)),
        (0.175538, 0.474506, (1.011255, 1.127614), (1.010484, 1.089249), (1.048891, 1.127614)),
        (0.159030, 0.490398, (1.006449, 1.207186), (1.009140, 1.128562), (1.092949, 1.207186)),
    ]
    for n, (loss_u, loss_s, student, teacher, assistant) in enumerate(expected):
        gta.step(SCALARS, minimize, Progress(step=1 + n, total_steps=100, steps_per_epoch=1))
        assert minimize.losses[-2:] == pytest.approx([loss_u, loss_s], abs=1e-5)
        assert numbers(gta.student) == pytest.approx(student, abs=1e-5)
        assert numbers(gta.teacher.network) == pytest.approx(teacher, abs=1e-5)
        assert numbers(gta.assistant) == pytest.approx(assistant, abs=1e-5)


def test_where_weights_go_in_the_first_epoch_of_the_released_code(monkeypatch):
    """The assistant moves by 1 and the student by 0.1; networks that share memory move together."""
    gta = scalar_method(monkeypatch, ablation=Ablation(as_released=True))

    def by_hand(loss: Tensor, over: Any) -> bool:
        distance = 1.0 if over is gta.assistant else 0.1
        with torch.no_grad():
            over.encoder.e.add_(distance)
            over.head.c.add_(distance)
        return True

    progress = Progress(step=11, total_steps=100, steps_per_epoch=10)  # n = 1, so d = 1/2
    gta.step(SCALARS, by_hand, progress)
    assert numbers(gta.student) == pytest.approx([2.1, 2.1])
    assert numbers(gta.assistant) == pytest.approx([2.0, 2.1])
    assert numbers(gta.teacher.network) == pytest.approx([2.05, 2.1])
    # After the epoch features flow by half of the way, and the teacher's predictor is its own.
    gta = scalar_method(monkeypatch, feature_decay=0.5, ema_decay=0.5, ablation=gta.config.ablation)
    gta.step(SCALARS, by_hand, progress._replace(step=20))
    assert numbers(gta.student) == pytest.approx([1.6, 2.1])
    assert numbers(gta.assistant) == pytest.approx([2.0, 2.1])
    assert numbers(gta.teacher.network) == pytest.approx([1.3, 1.55])


def parameters(network) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def test_the_released_code_hands_over_in_each_step_of_an_epoch(batch: Batch, monkeypatch):
    """Three steps of warm-up, and an epoch of three steps in which all weights are shared."""
    gta, seen = method(as_released=True), []
    monkeypatch.setattr(gta.teacher, "forward", watch(gta, seen, gta.teacher.forward))
    first_teacher = parameters(gta.teacher.network)
    for step in range(8):
        take(gta, batch, step)
        if step < 3:  # teacher and assistant are as they were created
            torch.testing.assert_close(parameters(gta.teacher.network), first_teacher)
        head = [name for name in first_teacher if name.startswith("head.")]
        student, assistant = parameters(gta.student), parameters(gta.assistant)
        if step >= 3:
            assert all(torch.equal(student[name], assistant[name]) for name in head)
            assert any(not torch.equal(student[name], assistant[name]) for name in student)
    assert seen == [True] * 3 + [False] * 2  # the teacher's first pass in steps 3 to 7


def watch(gta: GTA, seen: list[bool], forward: Any) -> Any:
    """Notes whether all networks have the same weights when the teacher is asked."""

    def watched(*args: Any) -> Any:
        networks = gta.student, gta.assistant, gta.teacher.network
        first, *others = map(parameters, networks)
        seen.append(all(torch.equal(x[name], first[name]) for x in others for name in first))
        return forward(*args)

    return watched


def test_the_released_code_can_share_nothing(batch: Batch):
    """All weights flow, as there on one device, where the name of the mask predictor differs."""
    torch.manual_seed(0)
    config = GTA.Config(name="gta", mask_predictor=(), ablation=Ablation(as_released=True))
    gta = GTA(lambda: create_model(TINY, num_classes=3), config)
    for step in (0, 3, 6):
        take(gta, batch, step)
    student, assistant = parameters(gta.student), parameters(gta.assistant)
    assert not any(
        torch.equal(student[name], assistant[name]) for name in student if "head" in name
    )


def test_the_released_code_averages_and_copies_no_statistics(batch: Batch):
    """Each network has seen other weights, so no two have the same statistics."""
    gta = method(as_released=True)
    for step in range(5):
        take(gta, batch, step)
    networks = gta.student, gta.assistant, gta.teacher.network
    means = [dict(n.named_buffers()) for n in networks]
    name = next(name for name in means[0] if name.endswith("running_mean"))
    assert not torch.equal(means[0][name], means[1][name])
    assert not torch.equal(means[0][name], means[2][name])
    counts = [m[name.replace("running_mean", "num_batches_tracked")].item() for m in means]
    assert counts == [5, 5, 5]  # one train pass of each network in each step
    assert not gta.teacher.network.training


def test_the_released_code_learns_from_padding_with_another_confidence(batch: Batch, monkeypatch):
    gta, asked = method(as_released=True), []
    monkeypatch.setattr(
        "fewmask.methods.gta.gentle_weights",
        lambda pseudo, *rest: asked.append(pseudo) or gentle_weights(pseudo, *rest),
    )
    take(gta, batch, 0)
    teacher = copy.deepcopy(gta.teacher.network)
    for ours, theirs in zip(teacher.parameters(), gta.student.parameters(), strict=True):
        ours.data.copy_(theirs)  # handed over as step 3 begins
    take(gta, batch, 3)
    ((label, confidence),) = asked
    assert not batch.unlabeled.valid.all() and (label != IGNORE).all()
    torch.manual_seed(3)
    pseudo = pseudo_label(teacher(batch.unlabeled.weak).logits, size=(33, 33))
    mixed, _ = cutmix_with_next(batch.unlabeled.weak, pseudo, 0.5)
    with torch.no_grad():
        logits = teacher.train()(torch.cat([batch.labeled.image, mixed])).upsampled_logits[2:]
    torch.testing.assert_close(confidence, logits.softmax(1).amax(1))
    assert not torch.allclose(confidence, pseudo.confidence, atol=1e-3)


def test_the_released_code_takes_padding_of_labeled_images_for_class_0(batch: Batch):
    mask = batch.labeled.mask
    valid = torch.ones_like(mask, dtype=torch.bool)
    valid[:, 4:] = False

    def with_padding_as(label: int) -> Batch:
        labeled = batch.labeled._replace(mask=mask.masked_fill(~valid, label))
        return batch._replace(labeled=labeled, labeled_valid=valid)

    def loss(of: GTA, label: int) -> Tensor:
        return take(of, with_padding_as(label), 0)["loss_labeled"]

    assert loss(method(as_released=True), IGNORE) == loss(method(as_released=True), 0)
    assert loss(method(), IGNORE) != loss(method(), 0)
