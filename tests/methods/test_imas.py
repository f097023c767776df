"""iMAS: golden numbers are from the official functions run on a CPU."""

import math

import pytest
import torch
from torch import Tensor

from fewmask.batch import Batch, Progress
from fewmask.errors import UserError
from fewmask.methods.imas import IMAS, easiness, ema_decay
from fewmask.models import Segmenter
from fewmask.parts.losses import confident_cross_entropy
from fewmask.parts.mixing import paste
from fewmask.parts.pseudo_labels import pseudo_label
from tests.conftest import FakeMinimize

TEACHER_FREE = Progress(step=100, total_steps=1000, steps_per_epoch=10)


def logits(labels: list, heights: list, classes: int) -> Tensor:
    """Logits [B, K, H, W] that are 0 but for `height` at the label."""
    label, height = torch.tensor(labels), torch.tensor(heights, dtype=torch.float32)
    zeros = torch.zeros(label.shape[0], classes, *label.shape[1:])
    return zeros.scatter(1, label.unsqueeze(1), height.unsqueeze(1))


STUDENT_A = logits([[[0, 1], [1, 2]], [[0, 0], [1, 1]]], [[[6, 4], [2, 6]], [[6, 6], [6, 6]]], 3)
TEACHER_A = logits([[[0, 1], [2, 2]], [[0, 0], [1, 1]]], [[[6, 6], [4, 1]], [[6, 6], [6, 1]]], 3)


def easiness_of(student, teacher, *settings, **named):
    looks = pseudo_label(student), pseudo_label(teacher)
    return easiness(*looks, student.shape[1], *settings, **named)


@pytest.mark.parametrize(
    ("threshold", "ignore_background", "by_area", "expected"),
    [
        (0.95, True, True, (0.375000, 0.875000)),
        (0.95, False, True, (0.468750, 0.875000)),
        (0.95, True, False, (0.500000, 0.875000)),
        (0.97, True, True, (0.250000, 0.875000)),
        (0.97, False, True, (0.312500, 0.875000)),
        (0.70, True, True, (0.437500, 0.875000)),
        (0.70, False, True, (0.546875, 0.875000)),
    ],
)
def test_easiness_of_two_images(threshold, ignore_background, by_area, expected):
    h = easiness_of(STUDENT_A, TEACHER_A, threshold, ignore_background, by_area).easiness
    torch.testing.assert_close(h, torch.tensor(expected), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("ignore_background", "by_area", "expected"),
    [(True, True, 0.513889), (False, True, 0.583333), (True, False, 0.554167)],
)
def test_easiness_where_the_directions_differ(ignore_background, by_area, expected):
    student = logits(
        [[[0, 0, 1, 1], [0, 2, 2, 1], [3, 3, 2, 1]]],
        [[[6, 6, 6, 6], [5, 5, 3, 6], [6, 2, 6, 6]]],
        4,
    )
    teacher = logits(
        [[[0, 0, 1, 1], [0, 2, 1, 1], [3, 2, 2, 1]]],
        [[[7, 7, 7, 2], [7, 7, 7, 7], [2, 7, 3, 7]]],
        4,
    )
    easy = easiness_of(student, teacher, 0.95, ignore_background, by_area)
    assert easy.easiness.item() == pytest.approx(expected, abs=1e-6)
    assert easy.confident_t.item() == pytest.approx(0.75, abs=1e-6)
    assert easy.confident_s.item() == pytest.approx(10 / 12, abs=1e-6)


@pytest.mark.parametrize(("a_s", "a_t", "expected"), [(1, 6, 0.25), (6, 1, 0.125), (6, 6, 0.375)])
def test_each_confidence_goes_with_its_own_direction(a_s, a_t, expected):
    student = logits([[[1, 1], [2, 2]]], [[[a_s] * 2] * 2], 3)
    teacher = logits([[[1, 1], [1, 1]]], [[[a_t] * 2] * 2], 3)
    assert easiness_of(student, teacher, 0.95).easiness.item() == pytest.approx(expected, abs=1e-6)


SIX = [[[6, 6], [6, 6]]]
ONE = [[[1, 1], [1, 1]]]


@pytest.mark.parametrize(
    ("label_s", "a_s", "label_t", "a_t", "ignored", "kept", "unweighted"),
    [
        ([[0, 0], [0, 0]], SIX, [[0, 0], [0, 0]], SIX, 0.0, 1.0, 1.0),
        ([[0, 1], [0, 1]], SIX, [[0, 0], [0, 0]], SIX, 0.0, 0.375, 0.25),
        ([[0, 0], [0, 0]], SIX, [[0, 1], [0, 1]], SIX, 0.0, 0.375, 0.25),
        ([[0, 1], [2, 1]], ONE, [[0, 1], [2, 1]], ONE, 0.0, 0.0, 0.0),
        ([[0, 1], [2, 1]], SIX, [[0, 1], [2, 1]], SIX, 1.0, 1.0, 1.0),
        ([[0, 1], [2, 1]], SIX, [[0, 1], [2, 1]], ONE, 0.5, 0.5, 0.5),
        ([[1, 1], [1, 1]], SIX, [[2, 2], [2, 2]], SIX, 0.0, 0.0, 0.0),
    ],
)
def test_easiness_of_degenerate_images(label_s, a_s, label_t, a_t, ignored, kept, unweighted):
    student, teacher = logits([label_s], a_s, 3), logits([label_t], a_t, 3)
    found = [
        easiness_of(student, teacher, 0.95, ignore_background, by_area).easiness.item()
        for ignore_background, by_area in ((True, True), (False, True), (True, False))
    ]
    assert found == pytest.approx([ignored, kept, unweighted], abs=1e-6)


def test_easiness_agrees_with_a_loop_over_images_and_classes():
    generator = torch.Generator().manual_seed(0)
    student, teacher = 3 * torch.randn(2, 5, 7, 9, 11, generator=generator)
    found = easiness_of(student, teacher, 0.5, ignore_background=False).easiness
    for i in range(5):
        p, q = student[i].softmax(0), teacher[i].softmax(0)
        total = 0.0
        for mine, other in ((p, q), (q, p)):
            weighted = 0.0
            for c in range(7):
                a, b = mine.argmax(0) == c, other.argmax(0) == c
                iou = float((a & b).sum()) / max(1, int((a | b).sum()))
                weighted += float(a.float().mean()) * iou
            total += 0.5 * weighted * float((mine.amax(0) >= 0.5).float().mean())
        assert found[i].item() == pytest.approx(total, abs=1e-6)


def test_unlabeled_term_from_end_to_end():
    h = easiness_of(STUDENT_A, TEACHER_A, 0.95).easiness
    assert h.mean().item() == pytest.approx(0.625, abs=1e-6)  # the probability of CutMix
    label, confidence = pseudo_label(TEACHER_A)
    strong = logits([[[0, 1], [2, 2]], [[0, 0], [1, 0]]], [[[1, 2], [0.5, 1]], [[2, 1], [1, 1]]], 3)
    aug = confident_cross_entropy(strong, label, confidence, 0.95)
    assert (h * aug).mean().item() == pytest.approx(0.221143, abs=1e-6)

    boxes = torch.tensor([[[False, True], [False, False]], [[False, False], [True, True]]])
    partner = torch.tensor([1, 0])
    mixed_label, mixed_confidence = (paste(x, partner, boxes) for x in (label, confidence))
    assert mixed_label.tolist() == [[[0, 0], [2, 2]], [[0, 0], [2, 2]]]
    cut = logits([[[0, 0], [2, 1]], [[0, 1], [1, 2]]], [[[1, 1], [1, 2]], [[2, 1], [2, 1]]], 3)
    cm = confident_cross_entropy(cut, mixed_label, mixed_confidence, 0.95)
    assert (h * cm).mean().item() == pytest.approx(0.518387, abs=1e-6)
    both = 3.0 * (h * torch.stack([aug, cm])).mean().item()
    assert both == pytest.approx(1.109294, abs=1e-6)


@pytest.mark.parametrize(
    ("step", "epoch_steps", "copy_epochs", "expected"),
    [
        (0, 93, 1, 0.0),
        (92, 93, 1, 0.0),
        (93, 93, 1, 0.989362),
        (94, 93, 1, 0.989474),
        (150, 93, 1, 0.993377),
        (200, 93, 1, 0.995025),
        (248, 93, 1, 0.995984),
        (249, 93, 1, 0.996),
        (619, 620, 1, 0.0),
        (620, 620, 1, 0.996),
        (185, 93, 2, 0.0),
        (186, 93, 2, 0.989362),
        (342, 93, 2, 0.996),
        (0, 93, 0, 0.989362),
    ],
)
def test_decay_of_the_teacher(step, epoch_steps, copy_epochs, expected):
    progress = Progress(step, 10_000, epoch_steps)
    assert ema_decay(progress, 0.996, progress.in_steps(copy_epochs, None)) == pytest.approx(
        expected, abs=1e-6
    )


def imas(student: Segmenter, **options) -> IMAS:
    return IMAS(lambda: student, IMAS.Config(name="imas", **options))


def test_step_trains_the_student_and_the_teacher_follows(student, batch, minimize):
    method = imas(student, threshold=0.4)
    before = [p.clone() for p in method.teacher.parameters()]
    student_before = [p.clone() for p in student.parameters()]
    scalars = method.step(batch, minimize, TEACHER_FREE).by_name()
    assert [over for _, over in minimize.calls] == [student]
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.parameters())
    assert any(
        not torch.equal(a, b) for a, b in zip(student_before, student.parameters(), strict=True)
    )
    decay = ema_decay(TEACHER_FREE, 0.996, TEACHER_FREE.steps_per_epoch)
    for old, teacher, new in zip(
        before, method.teacher.parameters(), student.parameters(), strict=True
    ):
        torch.testing.assert_close(teacher, decay * old + (1 - decay) * new)
    assert scalars["easiness"].shape == (2,)
    assert math.isfinite(minimize.calls[0][0])


def test_teacher_copies_the_student_in_the_first_epoch(student, batch, minimize):
    method = imas(student)
    method.step(batch, minimize, Progress(step=3, total_steps=1000, steps_per_epoch=10))
    teacher, trained = method.teacher.network.state_dict(), student.state_dict()
    assert all(torch.equal(teacher[key], trained[key]) for key in trained)


def test_the_copying_can_be_counted_in_steps(student, batch, minimize):
    """An epoch has ten steps; the teacher copies for three, and only follows in the fourth."""
    method, is_copy = imas(student, copy_steps=3, threshold=0.4), []
    for step in (2, 3):
        method.step(batch, minimize, Progress(step, total_steps=1000, steps_per_epoch=10))
        pairs = zip(method.teacher.parameters(), student.parameters(), strict=True)
        is_copy.append(all(torch.equal(theirs, ours) for theirs, ours in pairs))
    assert is_copy == [True, False]


def test_student_and_teacher_share_no_storage(student):
    method = imas(student)
    ours = {x.data_ptr() for x in method.student.state_dict().values()}
    assert not ours & {x.data_ptr() for x in method.teacher.state_dict().values()}


def test_strong_view_of_a_hard_image_is_the_weak_view(student, batch, minimize):
    """At threshold 1 nothing is confident, h = 0: the strong view must not matter, nor the loss."""
    method, seen = imas(student, threshold=1.0), []
    student.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    scalars = method.step(batch, minimize, TEACHER_FREE).by_name()
    labeled, weak, strong = seen[-1].chunk(3)
    assert torch.equal(labeled, batch.labeled.image)
    assert torch.equal(weak, batch.unlabeled.weak) and torch.equal(strong, weak)
    assert scalars["loss_unlabeled"] == 0 and scalars["cutmix"] == 0


def test_weak_view_can_be_left_out_of_the_training_forward(student, batch, minimize):
    method, sizes = imas(student, threshold=1.0, weak_in_forward=False), []
    student.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    method.step(batch, minimize, TEACHER_FREE)
    assert sizes == [2, 4]  # the look at the weak view, then labeled + strong


def test_padding_never_becomes_a_pseudo_label(student, batch, minimize):
    """Where all is padding there is no unlabeled loss, even with threshold 0."""
    valid = torch.zeros_like(batch.unlabeled.valid)
    only_padding = Batch(batch.labeled, batch.unlabeled._replace(valid=valid))
    scalars = (
        imas(student, threshold=0.0).step(only_padding, FakeMinimize(), TEACHER_FREE).by_name()
    )
    assert scalars["loss_unlabeled"] == 0
    scalars = imas(student, threshold=0.0).step(batch, minimize, TEACHER_FREE).by_name()
    assert scalars["loss_unlabeled"] > 0


def test_one_unlabeled_image_is_refused(student, batch, minimize):
    single = batch._replace(unlabeled=batch.unlabeled._replace(weak=batch.unlabeled.weak[:1]))
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        IMAS(lambda: student, IMAS.Config(name="imas")).step(single, minimize, TEACHER_FREE)
