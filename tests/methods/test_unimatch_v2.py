"""UniMatch V2: golden numbers are from the released lines, run on a CPU."""

import copy

import pytest
import torch
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Labeled, Progress, Unlabeled
from fewmask.errors import UserError
from fewmask.methods import unimatch_v2
from fewmask.methods.unimatch_v2 import UniMatchV2
from fewmask.models import Segmenter, create_model
from fewmask.parts.boxes import area_boxes
from tests.conftest import TINY
from tests.methods import golden
from tests.methods.golden import exact, twin  # noqa: F401
from tests.methods.test_fixmatch import BOXES, LABELED, MASK, STRONG, VALID, WEAK
from tests.methods.two_views import (
    BOXES_2,
    COUNT,
    STRONG_2,
    Preset,
    assert_same,
    doubled_or_dropped,
    look,
    network,
    over_valid,
    pasted,
    some_batch,
)

LATE = Progress(step=9, total_steps=1000, steps_per_epoch=10)


def made(student: nn.Module, **options) -> UniMatchV2:
    return UniMatchV2(lambda: student, UniMatchV2.Config(name="unimatch_v2", **options))


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a second strong view."""
    first = batch.unlabeled.strong[0]
    strong = (first, torch.randn_like(first))
    return batch._replace(unlabeled=batch.unlabeled._replace(strong=strong))


def preset_step(monkeypatch, threshold: float) -> tuple[UniMatchV2, float]:
    """A step whose boxes and logits are known, and what it minimizes."""
    boxes = [BOXES, BOXES_2]
    monkeypatch.setattr(unimatch_v2, "area_boxes", lambda *given: boxes.pop(0))
    method = made(Preset(LABELED, torch.cat([STRONG, STRONG_2])), threshold=threshold)
    method.teacher.network.answers = [WEAK]
    images, seen = torch.zeros(2, 3, 2, 2), []
    unlabeled = Unlabeled(images, (images, images), VALID, torch.arange(2))

    def minimize(loss: Tensor, over: nn.Module) -> bool:
        seen.append(loss.item())
        return False

    report = method.step(Batch(Labeled(images, MASK), unlabeled), minimize, LATE)
    assert report.losses["labeled"].item() == pytest.approx(1.111399, abs=1e-6)
    return method, *seen, report.losses["unlabeled"].item()


@pytest.mark.parametrize(
    ("threshold", "unlabeled", "total"),
    [(0.95, 0.628074, 0.869736), (0.70, 0.628074, 0.869736), (0, 1.074100, 1.092749)],
)
def test_losses_of_two_images(monkeypatch, threshold, unlabeled, total):
    _, loss, loss_u = preset_step(monkeypatch, threshold)
    assert loss_u == pytest.approx(unlabeled, abs=1e-6)
    assert loss == pytest.approx(total, abs=1e-6)


def test_the_teacher_sees_weak_views_in_eval_mode_and_the_student_two_batches(monkeypatch):
    method, *_ = preset_step(monkeypatch, 0.95)
    assert method.teacher.network.seen == [(False, 2)]
    assert method.student.seen == [(True, 2), (True, 4)]


def transcribed(s: Segmenter, t: Segmenter, batch: Batch, step: int, options: dict) -> tuple:
    """One step as the head of the file has it: losses, and the share of used pixels."""
    (x_l, y_l), (weak, strong, valid, *_) = batch[:2]
    with torch.no_grad():
        label, confidence = look(t.eval()(weak).logits, valid)
    boxes = [area_boxes(COUNT, 33, 33, 0.5) for _ in strong]
    views = [tuple(pasted(x, box) for x in (view, label, confidence))
             for view, box in zip(strong, boxes, strict=True)]  # fmt: skip
    labeled = s.train()(x_l)
    stages = s.encoder(torch.cat([image for image, *_ in views]))
    if {x.shape[1] for x in stages} == {8}:  # the levels of the plain transformer
        firsts = [doubled_or_dropped(8)] * 4
    else:
        firsts = [doubled_or_dropped(x.shape[1]) for x in stages]
    whole = torch.randperm(COUNT)[: COUNT // 2]
    dropped = []
    for x, first in zip(stages, firsts, strict=True):
        first, second = first.clone(), 2 - first
        first[whole], second[whole] = 1, 1
        dropped.append(torch.cat([x[:COUNT] * first, x[COUNT:] * second]))
    z = s.decode(dropped, (33, 33)).logits.split(COUNT)
    losses = [over_valid(z[i], *views[i][1:], options["threshold"]) for i in (0, 1)]
    loss_l = golden.supervised(
        labeled.logits, labeled.aux_logits, y_l, "supervised_loss" in options
    )
    loss_u = (losses[0] + losses[1]) / 2
    golden.descend((loss_l + options["unlabeled_weight"] * loss_u) / 2, s)
    decay = min(1 - 1 / (step + 1), options["ema_decay"])
    with torch.no_grad():
        for ours, new in zip(t.state_dict().values(), s.state_dict().values(), strict=True):
            is_number = ours.is_floating_point()
            ours.copy_(decay * ours + (1 - decay) * new if is_number else new)
    used = [((c >= options["threshold"]) & (y != IGNORE)).double().mean() for _, y, c in views]
    return loss_l.detach(), loss_u.detach(), (used[0] + used[1]) / 2


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize(
    ("decoder", "is_ohem"), [("deeplabv3plus", False), ("deeplabv3plus", True), ("dpt", False)]
)
def test_three_steps_are_those_of_the_paper(decoder, is_ohem):
    first = network(decoder, aux_head=is_ohem)
    student, teacher = twin(first), twin(first)
    loss = {"kind": "ohem", "ohem_threshold": 0.4, "ohem_min_kept": 500}
    options = {"threshold": 0.5, "unlabeled_weight": 0.7, "ema_decay": 0.6}
    options |= {"supervised_loss": loss} if is_ohem else {}
    method = made(first, **options)

    def minimize(loss: Tensor, over: Segmenter) -> bool:
        assert over is first
        golden.descend(loss, over)
        return True

    for step in range(3):
        torch.manual_seed(step)
        report = method.step(some_batch(step), minimize, LATE._replace(step=step))
        torch.manual_seed(step)
        told = transcribed(student, teacher, some_batch(step), step, options)
        found = (report.losses["labeled"], report.losses["unlabeled"], report.used_pixels)
        torch.testing.assert_close(found, told, rtol=0, atol=1e-9)
        assert told[1] > 0 and 0.05 < told[2] < 0.95
        assert_same(method.student, student)
        assert_same(method.teacher.network, teacher)


def test_views_and_their_boxes_are_drawn_on_their_own(student, batch, minimize):
    method, seen = made(student, cutmix_probability=1), []
    student.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    method.step(batch, minimize, LATE)
    changed = []
    for mixed, strong in zip(seen[1].chunk(2), batch.unlabeled.strong, strict=True):
        changed.append((mixed != strong).any(1, keepdim=True))
        assert torch.equal(mixed, torch.where(changed[-1], strong.flip(0), strong))
    assert (changed[0] != changed[1]).any()


def test_without_dropout_the_views_are_decoded_as_they_are(student, batch, minimize):
    """FixMatch with two strong views."""
    method, stages = made(student, spared=1), []
    student.encoder.register_forward_hook(lambda module, inputs, output: stages.append(output))
    student.decoder.register_forward_pre_hook(lambda module, inputs: stages.append(inputs[0]))
    method.step(batch, minimize, LATE)
    encoded, decoded = stages[-2:]
    assert all(torch.equal(x, y) for x, y in zip(encoded, decoded, strict=True))


def test_a_frozen_encoder_stays_and_the_rest_learns(batch, minimize):
    student = create_model(TINY.model_copy(update={"frozen_stages": "all"}), num_classes=3)
    before = copy.deepcopy(student)
    method = made(student, threshold=0.3)
    method.step(batch, minimize, LATE)
    for found in (method.student, method.teacher.network):
        assert_same(found.encoder, before.encoder)
        assert not torch.equal(found.head[-1].weight, before.head[-1].weight)


@pytest.mark.parametrize(("step", "decay"), [(0, 0), (1, 0.5), (99, 0.99), (249, 0.996)])
def test_the_teacher_follows_by_a_ramped_average(student, batch, minimize, step, decay):
    method = made(student)
    before = copy.deepcopy(method.teacher.network)
    method.step(batch, minimize, LATE._replace(step=step))
    networks = before, method.teacher.network, student
    for old, teacher, new in zip(*(n.parameters() for n in networks), strict=True):
        torch.testing.assert_close(teacher, decay * old + (1 - decay) * new)


def test_the_teacher_waits_until_the_weights_move(student, batch):
    method = made(student)
    before = copy.deepcopy(method.teacher.network)
    method.step(batch, lambda loss, over: False, LATE)
    assert_same(method.teacher.network, before)


def test_what_is_not_sure_teaches_nothing(student, batch, minimize):
    method = made(student, threshold=1.0)
    report = method.step(batch, minimize, LATE)
    assert report.losses["unlabeled"] == 0 and report.used_pixels == 0
    label, _ = method.pseudo_labels(batch.unlabeled.weak, batch.unlabeled.valid)
    assert (label == IGNORE).all()


def test_one_unlabeled_image_is_refused(student, batch, minimize):
    single = batch._replace(unlabeled=batch.unlabeled._replace(weak=batch.unlabeled.weak[:1]))
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        made(student).step(single, minimize, LATE)
