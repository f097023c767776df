"""FixMatch: golden numbers are from the released lines of UniMatch, run on a CPU."""

import copy

import pytest
import torch
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Progress
from fewmask.errors import UserError
from fewmask.methods import fixmatch
from fewmask.methods.fixmatch import FixMatch
from fewmask.models import Segmenter
from fewmask.parts.losses import cross_entropy
from fewmask.parts.mixing import cutmix, mirrored_partners
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label
from tests.conftest import FakeMinimize
from tests.methods.test_imas import logits

# K = 3, two images of 2 x 2 pixels: all logits are 0 but the given label's.
WEAK = logits([[[0, 1], [2, 2]], [[0, 0], [1, 1]]], [[[6, 6], [4, 1]], [[6, 6], [6, 1]]], 3)
VALID = torch.tensor([[[True, True], [True, True]], [[True, False], [True, True]]])
STRONG = logits([[[0, 1], [2, 2]], [[0, 0], [1, 0]]], [[[1, 2], [0.5, 1]], [[2, 1], [1, 1]]], 3)
BOXES = torch.tensor([[[False, True], [False, False]], [[False, False], [True, True]]])
LABELED = logits([[[0, 1], [1, 2]], [[0, 0], [1, 1]]], [[[2, 1], [3, 1]], [[1, 2], [1, 2]]], 3)
MASK = torch.tensor([[[0, 1], [2, 2]], [[0, 1], [1, 255]]])
IMAGES = torch.tensor([[[200, 201], [202, 203]], [[210, 211], [212, 213]]]).float()[:, None]


def mixed() -> tuple[Tensor, PseudoLabel]:
    return cutmix(IMAGES, pseudo_label(WEAK, VALID), mirrored_partners(IMAGES), BOXES)


def test_labels_confidences_and_padding_travel_with_the_pixels():
    images, (label, confidence) = mixed()
    assert images.flatten(1).tolist() == [[200, 211, 202, 203], [210, 211, 202, 203]]
    # The invalid pixel of the second image was pasted into the first one.
    assert label.tolist() == [[[0, IGNORE], [2, 2]]] * 2
    expected = torch.tensor([[[0.995067, 0.995067], [0.964663, 0.576117]]] * 2)
    torch.testing.assert_close(confidence, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("threshold", "unlabeled", "total"),
    [(0.95, 0.522802, 0.817100), (0.70, 0.522802, 0.817100), (0, 0.873283, 0.992341)],
)
def test_losses_of_two_images(threshold, unlabeled, total):
    _, (label, confidence) = mixed()
    loss_x = cross_entropy(LABELED, MASK)
    loss_s = cross_entropy(STRONG, label, counts=confidence >= threshold)
    assert loss_x.item() == pytest.approx(1.111399, abs=1e-6)
    assert loss_s.item() == pytest.approx(unlabeled, abs=1e-6)
    assert (loss_x + loss_s).item() / 2 == pytest.approx(total, abs=1e-6)


def test_gradient_of_the_strong_view():
    _, (label, confidence) = mixed()
    strong = STRONG.clone().requires_grad_()
    (cross_entropy(strong, label, counts=confidence >= 0.95) / 2).backward()
    # These are four times numbers of six digits.
    first = torch.tensor([[-0.035324, 0.017662, 0.017662], [0.022840, 0.022840, -0.045680]])
    torch.testing.assert_close(strong.grad[0, :, :, 0].T, first, atol=2.5e-6, rtol=0)
    assert strong.grad[:, :, :, 1].abs().max() == 0  # padding, and pixels that are not sure


def made(student: Segmenter, **options) -> FixMatch:
    return FixMatch(lambda: student, FixMatch.Config(name="fixmatch", **options))


LATE = Progress(step=9, total_steps=1000, steps_per_epoch=10)


def test_one_forward_of_labeled_and_strong_images_in_train_mode(student, batch, minimize):
    method, seen = made(student, cutmix_probability=0), []
    student.register_forward_pre_hook(
        lambda module, inputs: seen.append((module.training, inputs[0].clone()))
    )
    method.step(batch, minimize, LATE)
    ((is_training, images),) = seen
    assert is_training
    assert torch.equal(images, torch.cat([batch.labeled.image, *batch.unlabeled.strong]))


def test_boxes_of_the_mirrored_partner_are_pasted(student, batch, minimize):
    method, seen = made(student, cutmix_probability=1), []
    student.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    method.step(batch, minimize, LATE)
    strong, mixed = batch.unlabeled.strong[0], seen[0][2:]
    changed = (mixed != strong).any(1, keepdim=True)
    assert changed.flatten(1).any(1).all() and not changed.flatten(1).all(1).any()
    assert torch.equal(mixed, torch.where(changed, strong.flip(0), strong))


def test_the_loss_is_half_of_both(student, batch, minimize):
    report = made(student, threshold=0.3, unlabeled_weight=3).step(batch, minimize, LATE)
    (loss, over), losses = minimize.calls[0], report.losses
    assert over is student and losses["unlabeled"] > 0
    assert loss == pytest.approx(((losses["labeled"] + 3 * losses["unlabeled"]) / 2).item())


@pytest.mark.parametrize(("step", "decay"), [(0, 0), (1, 0.5), (9, 0.9), (248, 0.995984)])
def test_the_teacher_follows_by_a_ramped_average(student, batch, minimize, step, decay):
    method = made(student)
    before = copy.deepcopy(method.teacher.network)
    method.step(batch, minimize, LATE._replace(step=step))
    networks = before, method.teacher.network, student
    for old, teacher, new in zip(*(n.parameters() for n in networks), strict=True):
        torch.testing.assert_close(teacher, decay * old + (1 - decay) * new)


def test_padding_never_becomes_a_pseudo_label(student, batch: Batch, monkeypatch):
    """A loss is computed for every valid pixel at threshold 0, and for no other one."""
    targets = []

    def watched(logits, label, **more):
        targets.append(label)
        return cross_entropy(logits, label, **more)

    monkeypatch.setattr(fixmatch, "cross_entropy", watched)
    report = made(student, threshold=0).step(batch, FakeMinimize(), LATE)
    assert torch.equal(targets[0] != IGNORE, batch.unlabeled.valid)  # both images have the same
    assert report.used_pixels == batch.unlabeled.valid.float().mean()


def test_what_is_not_sure_teaches_nothing(student, batch, minimize):
    report = made(student, threshold=1.0).step(batch, minimize, LATE)
    assert report.losses["unlabeled"] == 0 and report.used_pixels == 0
    weak, _, valid, *_ = batch.unlabeled
    label, _ = made(student, threshold=1.0).pseudo_labels(weak, valid)
    assert (label == IGNORE).all()


def test_one_unlabeled_image_is_refused(student, batch, minimize):
    single = batch._replace(unlabeled=batch.unlabeled._replace(weak=batch.unlabeled.weak[:1]))
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        made(student).step(single, minimize, LATE)
