"""Mean Teacher: golden numbers are from the released lines of CutMix-Seg, run on a CPU."""

import copy

import pytest
import torch
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Progress
from fewmask.errors import UserError
from fewmask.methods.mean_teacher import MeanTeacher, consistency
from fewmask.models import Segmenter
from fewmask.parts.pixel_loss import pixel_squared_difference
from tests.methods.test_fixmatch import BOXES, STRONG, VALID, WEAK, mixed

ALL = torch.ones_like(VALID)


def difference(weight: Tensor) -> float:
    """The sum over both images, whose teacher is pasted from the other one."""
    return pixel_squared_difference(STRONG, WEAK, WEAK.flip(0), BOXES, weight).sum().item()


def test_squared_difference_of_each_pixel():
    expected = [[0.263279, 1.415834, 0.394446, 0], [0.064947, 0.263279, 0.916197, 0.265247]]
    for place, value in enumerate(sum(expected, [])):
        only = torch.zeros(8).index_fill(0, torch.tensor(place), 1).view(2, 2, 2)
        assert difference(only) == pytest.approx(value, abs=1e-6)


def loss(valid: Tensor, threshold: float) -> float:
    _, (_, confidence) = mixed()
    confident = valid & (confidence >= threshold)
    return consistency(STRONG, WEAK, WEAK.flip(0), BOXES, valid, confident).item()


def test_loss_of_two_images():
    """The released code divides by all pixels, also where two of the eight are padding."""
    valid = mixed()[1].label != IGNORE
    assert difference(valid.float()) / 8 == pytest.approx(0.238014, abs=1e-6)
    assert loss(valid, 0) == pytest.approx(0.238014 * 8 / 6, abs=1e-6)
    assert loss(valid, 0.5) == loss(valid, 0)
    # Two of the six valid pixels are sure; of all eight the half, as in the released code.
    assert loss(valid, 0.97) == pytest.approx(0.238014 * 8 / 6 / 3, abs=1e-6)
    assert difference(valid.float()) / 8 * (loss(ALL, 0.97) / loss(ALL, 0)) == pytest.approx(
        0.119007, abs=1e-6
    )


def test_nothing_valid_is_no_loss():
    assert loss(~ALL, 0) == 0


def made(student: Segmenter, **options) -> MeanTeacher:
    return MeanTeacher(lambda: student, MeanTeacher.Config(name="mean_teacher", **options))


LATE = Progress(step=9, total_steps=1000, steps_per_epoch=10)


def test_a_student_that_agrees_with_its_teacher_has_no_loss():
    pasted = torch.where(BOXES[:, None], WEAK.flip(0), WEAK)
    agreeing = consistency(pasted, WEAK, WEAK.flip(0), BOXES, ALL, ALL)
    assert agreeing.item() == pytest.approx(0, abs=1e-12)


def test_half_of_each_image_is_pasted(student, batch, minimize):
    method, seen = made(student), []
    student.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    method.step(batch, minimize, LATE)
    (images,), strong = seen, batch.unlabeled.strong[0]
    assert torch.equal(images[:2], batch.labeled.image)
    changed = (images[2:] != strong).any(1, keepdim=True)
    assert changed.float().mean((1, 2, 3)).tolist() == pytest.approx([0.5, 0.5], abs=0.03)
    assert torch.equal(images[2:], torch.where(changed, strong.flip(0), strong))


def test_the_loss_is_the_sum_of_both(student, batch, minimize):
    method = made(student, threshold=0, unlabeled_weight=3)
    with torch.no_grad():
        method.teacher.network.head[-1].weight.mul_(10)  # or it would agree with the student
    losses = method.step(batch, minimize, LATE).losses
    assert losses["unlabeled"] > 0
    expected = (losses["labeled"] + 3 * losses["unlabeled"]).item()
    assert minimize.calls == [(pytest.approx(expected), student)]


def test_the_teacher_follows_by_a_ramped_average(student, batch, minimize):
    method = made(student)
    before = copy.deepcopy(method.teacher.network)
    method.step(batch, minimize, LATE)
    networks = before, method.teacher.network, student
    for old, teacher, new in zip(*(n.parameters() for n in networks), strict=True):
        torch.testing.assert_close(teacher, 0.9 * old + 0.1 * new)


def test_used_pixels_are_those_that_weigh(student, batch: Batch, minimize):
    report = made(student, threshold=1.0).step(batch, minimize, LATE)
    assert report.used_pixels == 0 and report.losses["unlabeled"] == 0
    report = made(student, threshold=0).step(batch, minimize, LATE)
    assert report.used_pixels == batch.unlabeled.valid.float().mean()


def test_every_valid_pixel_has_a_target(student, batch: Batch):
    unlabeled = batch.unlabeled
    label, _ = made(student).pseudo_labels(unlabeled.weak, unlabeled.valid)
    assert torch.equal(label != IGNORE, unlabeled.valid)


def test_one_unlabeled_image_is_refused(student, batch, minimize):
    single = batch._replace(unlabeled=batch.unlabeled._replace(weak=batch.unlabeled.weak[:1]))
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        made(student).step(single, minimize, LATE)
