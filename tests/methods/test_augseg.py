"""AugSeg: whole steps are those of a plain transcription, in float64."""

import math

import pytest
import torch
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Labeled, Progress, Unlabeled
from fewmask.methods import augseg
from fewmask.methods.augseg import AugSeg
from fewmask.models import Segmenter
from fewmask.parts.boxes import random_boxes
from fewmask.parts.losses import confident_cross_entropy
from tests.conftest import FakeMinimize
from tests.methods import golden
from tests.methods.golden import exact  # noqa: F401

LATE = Progress(step=50, total_steps=1000, steps_per_epoch=10)
TAU, LAMBDA, ALPHA = 0.5, 0.7, 0.91


def made(student: Segmenter, **options) -> AugSeg:
    return AugSeg(lambda: student, AugSeg.Config(name="augseg", **options))


def seeded_batch() -> Batch:
    """Two labeled and three unlabeled images, with some padding."""
    torch.manual_seed(1)
    mask, valid = torch.randint(0, 3, (2, 33, 33)), torch.ones(3, 33, 33, dtype=torch.bool)
    mask[0, 20:], valid[1, :, 28:] = IGNORE, False
    weak, strong = torch.randn(2, 3, 3, 33, 33)
    unlabeled = Unlabeled(weak, (strong,), valid, torch.arange(3))
    return Batch(Labeled(torch.randn(2, 3, 33, 33), mask), unlabeled)


# A plain transcription of the paper's equations.


def sure_of(probs: Tensor) -> list[float]:
    """How sure the teacher is of each image, from its probabilities at every pixel."""
    found = []
    for image in probs:
        entropy = -(image * (image + 1e-10).log()).sum(0)
        found.append(float((image.max(0).values * (1 - entropy / math.log(3))).mean()))
    return found


def box_pair() -> tuple[Tensor, Tensor]:
    """Boxes of labeled pixels, and those of CutMix."""
    made = []
    for a, b in ((2.0, 8.0), (4.0, 4.0)):
        side = math.sqrt(float(torch.distributions.Beta(a, b).sample()))
        made.append(random_boxes(3, 33, 33, (side, side), 1 / 8))
    return made[0], made[1]


def mixed_by_hand(unlabeled: list[Tensor], labeled: list[Tensor], sure: list[float]) -> int:
    """Mixes images, labels and confidences in place; returns how many copies got labels."""
    order = torch.randperm(3).tolist()
    label_boxes, boxes = box_pair()
    draws, aided = torch.rand(3).tolist(), 0
    copies = [x.clone() for x in unlabeled]
    for i in range(3):
        if draws[i] < sure[i]:
            continue
        aided += 1
        for copy, x_l in zip(copies, labeled, strict=True):
            copy[i][..., label_boxes[i]] = x_l[order[i] % 2][..., label_boxes[i]]
    for x, copy in zip(unlabeled, copies, strict=True):
        for i in range(3):
            x[i][..., boxes[i]] = copy[order[i]][..., boxes[i]]
    return aided


def transcribed(student: Segmenter, teacher: Segmenter, batch: Batch, step: int) -> list[Tensor]:
    (x_l, y_l), (weak, (strong,), valid, *_) = batch[:2]
    with torch.no_grad():
        probs = golden.full_size(teacher.eval()(weak).logits).softmax(1)
    confidence, label = probs.max(1)
    label[~valid] = IGNORE
    sure = sure_of(probs)
    x, y, c = strong.clone(), label, confidence.clone()
    aided = mixed_by_hand([x, y, c], [x_l, y_l, torch.ones(2, 33, 33)], sure)

    logits = student(torch.cat([x_l, x])).logits
    loss_x = golden.mean_cross_entropy(logits[:2], y_l)
    log_probs = golden.full_size(logits[2:]).log_softmax(1)
    used = (c >= TAU) & (y != IGNORE)
    image, row, column = used.nonzero(as_tuple=True)
    loss_u = -log_probs[image, y[used], row, column].sum() / (3 * 33 * 33)
    golden.descend(loss_x + LAMBDA * loss_u, student)

    decay = 0.0 if step < 10 else min(1 - 1 / (step + 1), ALPHA)  # ten steps per epoch
    with torch.no_grad():
        ours, theirs = teacher.state_dict(), student.state_dict()
        for key, value in ours.items():
            is_number = value.is_floating_point()
            new = theirs[key]
            value.copy_(decay * value + (1 - decay) * new if is_number else new)
    numbers = torch.tensor([aided, used.sum() / (3 * 33 * 33)])
    return [loss_x.detach(), loss_u.detach(), torch.tensor(sure), numbers]


@pytest.mark.usefixtures("exact")
def test_steps_are_those_of_the_paper():
    student, batch = golden.network(aux_head=False), seeded_batch()
    method = made(student, threshold=TAU, unlabeled_weight=LAMBDA, ema_decay=ALPHA)
    ours, teacher = golden.twin(student), golden.twin(student)
    aided = []
    for step in (8, 9, 10, 11, 12):
        torch.manual_seed(step)
        report = method.step(batch, FakeMinimize(golden.LR), LATE._replace(step=step))
        torch.manual_seed(step)
        loss_x, loss_u, sure, numbers = transcribed(ours, teacher, batch, step)
        assert report.losses["labeled"].item() == pytest.approx(loss_x.item(), rel=1e-9)
        assert report.losses["unlabeled"].item() == pytest.approx(loss_u.item(), rel=1e-9)
        torch.testing.assert_close(report.scalars["image_confidence"], sure)
        assert report.used_pixels.item() == pytest.approx(numbers[1].item())
        aided.append(int(numbers[0]))
    assert 0 < sum(aided) < 15  # some copies got labels, and some did not
    golden.assert_equal(method.student, ours)
    golden.assert_equal(method.teacher.network, teacher)


# What the contract does not say.


def test_one_forward_of_labeled_and_mixed_images_in_train_mode(student, batch, minimize):
    method, seen = made(student), []
    student.register_forward_pre_hook(
        lambda module, inputs: seen.append((module.training, inputs[0].clone()))
    )
    method.step(batch, minimize, LATE)
    ((is_training, images),) = seen
    assert is_training and len(images) == 4
    assert torch.equal(images[:2], batch.labeled.image)


def test_padding_is_a_target_only_where_a_label_was_pasted(student, batch, monkeypatch):
    targets = []

    def watched(logits, label, confidence, threshold):
        targets.append((label, confidence))
        return confident_cross_entropy(logits, label, confidence, threshold)

    monkeypatch.setattr(augseg, "confident_cross_entropy", watched)
    for seed in range(5):
        torch.manual_seed(seed)
        made(student, threshold=0).step(batch, FakeMinimize(0.0), LATE)
    label, confidence = (torch.cat(x) for x in zip(*targets, strict=True))
    valid = batch.unlabeled.valid.repeat(5, 1, 1)  # both images have the same padding
    assert (confidence[~valid & (label != IGNORE)] == 1).all()
    assert (label[valid & (confidence < 1)] != IGNORE).all()


def test_what_is_not_sure_teaches_nothing(student, batch):
    weak, _, valid, *_ = batch.unlabeled
    label, _ = made(student, threshold=1.0).pseudo_labels(weak, valid)
    assert (label == IGNORE).all()
    label, _ = made(student, threshold=0).pseudo_labels(weak, valid)
    assert torch.equal(label != IGNORE, valid)


@pytest.mark.parametrize(
    ("step", "decay"), [(0, 0), (9, 0), (10, 10 / 11), (500, 500 / 501), (5000, 0.999)]
)
def test_the_teacher_copies_for_an_epoch_and_then_follows(student, batch, minimize, step, decay):
    method = made(student)
    before = golden.twin(method.teacher.network)
    method.step(batch, minimize, LATE._replace(step=step))
    networks = before, method.teacher.network, student
    for old, teacher, new in zip(*(n.parameters() for n in networks), strict=True):
        torch.testing.assert_close(teacher, decay * old + (1 - decay) * new)
