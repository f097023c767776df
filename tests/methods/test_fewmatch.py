"""FewMatch: golden numbers are from a few lines of plain torch in this file."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Progress
from fewmask.errors import UserError
from fewmask.methods import fewmatch
from fewmask.methods.fewmatch import FewMatch
from fewmask.models import Segmenter
from fewmask.parts.losses import cross_entropy
from tests.conftest import FakeMinimize


@pytest.fixture
def student(student: Segmenter) -> Segmenter:
    """A network that does not give every pixel the same class."""
    with torch.no_grad():
        student.head[-1].weight *= 30
    return student


def made(student: Segmenter, **options) -> FewMatch:
    """With the batch's statistics, without which an untrained teacher predicts one class."""
    options = {"teacher_batch_statistics": True} | options
    return FewMatch(lambda: student, FewMatch.Config(name="fewmatch", **options))


LATE = Progress(step=9, total_steps=1000, steps_per_epoch=10)


def at_every_pixel(logits: Tensor) -> Tensor:
    return F.interpolate(logits, size=(33, 33), mode="bilinear", align_corners=True)


PRIOR, PREDICTED = torch.tensor([[0.1, 0.3, 0.6], [0.4, 0.3, 0.3]])
"""The class shares of labels and predictions before the step."""


def plain_shares(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """The class shares of labels and predictions after the step."""
    ((_, mask), valid) = batch.labeled, batch.unlabeled.valid
    probs = logits.softmax(1).movedim(1, -1)[valid[:, ::4, ::4]].mean(0)
    labels = torch.stack([(mask == k).sum() for k in range(3)]) / (mask != IGNORE).sum()
    return 0.99 * PRIOR + 0.01 * labels, 0.99 * PREDICTED + 0.01 * probs


def plain_pseudo_labels(logits: Tensor, batch: Batch, dropped: float, alpha: float):
    """Labels, and whether they count, as the head of the file has them."""
    prior, predicted = plain_shares(logits, batch)
    aligned = logits + (alpha * (prior.log() - predicted.log())).view(1, 3, 1, 1)
    confidence, label = at_every_pixel(aligned).softmax(1).max(1)
    valid, counts = batch.unlabeled.valid, torch.zeros_like(batch.unlabeled.valid)
    for k in range(3):
        mine = (label == k) & valid
        seen = confidence[:, ::4, ::4][mine[:, ::4, ::4]].sort().values
        assert len(seen) > 5  # every class has some pixels
        counts |= mine & (confidence >= seen[int(dropped * len(seen))])
    return label, counts


@pytest.mark.parametrize(("dropped", "alpha"), [(0.3, 0.5), (0.3, 0), (0.6, 1), (0, 1)])
def test_a_step_is_that_of_plain_torch(student, batch: Batch, minimize, dropped, alpha):
    method, outputs = made(student, dropped=dropped, alignment=alpha, cutmix_probability=0), []
    method.alignment.prior.copy_(PRIOR)
    method.alignment.predicted.copy_(PREDICTED)
    teacher = copy.deepcopy(student).eval()
    for name in method.teacher.norms:
        teacher.get_submodule(name).train()
    student.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    report = method.step(batch, minimize, LATE)

    with torch.no_grad():
        logits = teacher(batch.unlabeled.weak).logits
        label, counts = plain_pseudo_labels(logits, batch, dropped, alpha)
        losses = F.cross_entropy(at_every_pixel(outputs[0].logits[2:]), label, reduction="none")
    expected = (losses * counts).sum() / batch.unlabeled.valid.sum()
    torch.testing.assert_close(report.losses["unlabeled"], expected)
    torch.testing.assert_close(report.used_pixels, counts.float().mean())
    loss = (report.losses["labeled"] + expected) / 2
    assert minimize.calls == [(pytest.approx(loss.item(), rel=1e-5), student)]
    if alpha:
        found = method.alignment.prior, method.alignment.predicted
        torch.testing.assert_close(found, plain_shares(logits, batch))


def test_one_forward_of_labeled_and_mixed_images_in_train_mode(student, batch, minimize):
    method, seen = made(student, cutmix_probability=1), []
    student.register_forward_pre_hook(
        lambda module, inputs: seen.append((module.training, inputs[0].clone()))
    )
    method.step(batch, minimize, LATE)
    ((is_training, images),) = seen
    labeled, strong = batch.labeled.image, batch.unlabeled.strong[0]
    changed = (images[2:] != strong).any(1, keepdim=True)
    assert is_training and torch.equal(images[:2], labeled)
    assert changed.flatten(1).any(1).all() and not changed.flatten(1).all(1).any()
    assert torch.equal(images[2:], torch.where(changed, strong.flip(0), strong))


def watched_losses(monkeypatch) -> list[tuple[Tensor, Tensor]]:
    """Collects the targets of the unlabeled loss, and whether they count."""
    seen = []

    def watched(logits, label, counts):
        seen.append((label, counts))
        return cross_entropy(logits, label, counts=counts)

    monkeypatch.setattr(fewmatch, "cross_entropy", watched)
    return seen


def test_labels_are_pasted_with_whether_they_count(student, batch: Batch, monkeypatch):
    """The boxes of two images have the labels of each other, sure or not."""
    seen, logits = watched_losses(monkeypatch), []
    for probability in (0, 1):
        method = made(copy.deepcopy(student), cutmix_probability=probability)
        method.student.register_forward_pre_hook(lambda m, inputs: logits.append(inputs[0][2:]))
        method.step(batch, FakeMinimize(), LATE)
    (plain, sure), (mixed, counts) = seen
    pasted = (logits[1] != logits[0]).any(1)
    assert torch.equal(mixed, torch.where(pasted, plain.flip(0), plain))
    assert torch.equal(counts, torch.where(pasted, sure.flip(0), sure))
    assert (sure != sure.flip(0))[pasted].any()


def test_padding_never_becomes_a_pseudo_label(student, batch: Batch, monkeypatch):
    """A loss is computed for every valid pixel if none is dropped, and for no other one."""
    seen, valid = watched_losses(monkeypatch), batch.unlabeled.valid
    report = made(student, dropped=0, alignment=0).step(batch, FakeMinimize(), LATE)
    ((label, counts),) = seen
    assert torch.equal(label != IGNORE, valid)  # both images have the same
    assert not counts[~valid].any()
    # Thresholds come from a part of the pixels, so a few lie below the smallest one.
    assert 0.9 * valid.float().mean() < report.used_pixels <= valid.float().mean()


@pytest.mark.parametrize(("step", "decay"), [(0, 0), (1, 0.5), (9, 0.9), (248, 0.99)])
def test_the_teacher_follows_by_a_ramped_average_without_gradients(
    student, batch, minimize, step, decay
):
    method = made(student)
    before = copy.deepcopy(method.teacher.network)
    method.step(batch, minimize, LATE._replace(step=step))
    networks = before, method.teacher.network, student
    for old, teacher, new in zip(*(n.parameters() for n in networks), strict=True):
        torch.testing.assert_close(teacher, decay * old + (1 - decay) * new)
        assert teacher.grad is None and not teacher.requires_grad


def test_pseudo_labels_are_those_that_count(student, batch: Batch, minimize):
    method = made(student, dropped=0.5)
    method.step(batch, minimize, LATE)
    weak, _, valid, *_ = batch.unlabeled
    label, confidence = method.pseudo_labels(weak, valid)
    for k in range(3):
        mine = label == k
        assert mine.any() and (confidence[mine] >= method.thresholds.thresholds[k]).all()
    assert 0.3 < (label != IGNORE).sum() / valid.sum() < 0.7  # half of the pixels of each class


def test_one_unlabeled_image_is_refused(student, batch, minimize):
    single = batch._replace(unlabeled=batch.unlabeled._replace(weak=batch.unlabeled.weak[:1]))
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        made(student).step(single, minimize, LATE)
