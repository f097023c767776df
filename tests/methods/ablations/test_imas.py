"""The switches of iMAS: each changes what its row says, and nothing else."""

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from fewmask.batch import Batch, Labeled, Progress, StepReport, Unlabeled
from fewmask.methods import imas
from fewmask.methods.ablations.imas import random_partners
from fewmask.methods.imas import IMAS, ema_decay
from fewmask.models import create_model
from fewmask.parts.mixing import easy_hard_partners
from tests.conftest import TINY, FakeMinimize

LATER = Progress(step=100, total_steps=1000, steps_per_epoch=10)
COUNT, SIDE = 4, 33
LOOKS = torch.tensor([0.5, 1.0, 1.5, 2.0])  # images of growing contrast, which differ in easiness


def some_batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, COUNT, 3, SIDE, SIDE, generator=generator)
    weak = images[1] * LOOKS.view(-1, 1, 1, 1)
    valid = torch.ones(COUNT, SIDE, SIDE, dtype=torch.bool)
    valid[:, 30:] = False
    mask = torch.randint(0, 3, (COUNT, SIDE, SIDE), generator=generator)
    unlabeled = Unlabeled(weak, (images[2],), valid, torch.arange(COUNT))
    return Batch(Labeled(images[0], mask), unlabeled)


def some_method(**options: Any) -> IMAS:
    """A student and a teacher that agree on some pixels."""
    torch.manual_seed(0)
    student = create_model(TINY, num_classes=3)
    with torch.no_grad():
        student.head[-1].weight.mul_(10)
        for _ in range(20):  # the running statistics become those of the images
            student(some_batch().unlabeled.weak)
    config = IMAS.Config(name="imas", threshold=0.4, ignore_background=False, **options)
    method = IMAS(lambda: student, config)
    with torch.no_grad():
        for p in method.teacher.parameters():
            p.add_(0.02 * torch.randn_like(p))
    return method


class Seen(NamedTuple):
    """What one step did."""

    method: IMAS
    report: StepReport
    images: Tensor  # of the training forward pass
    labels: list[Tensor]  # the pseudo-labels of the views
    per_image: list[Tensor]  # the loss of each view, [B]
    partners: list[Tensor]
    boxes: list[Tensor]


def one_step(monkeypatch, progress: Progress = LATER, **ablation: Any) -> Seen:
    batch, method = some_batch(), some_method(ablation=ablation)
    images, labels, per_image, partners, boxes = [], [], [], [], []
    method.student.register_forward_pre_hook(lambda module, x: images.append(x[0].detach().clone()))
    loss, cut = imas.confident_cross_entropy, imas.cutmix

    def watched_loss(logits, label, confidence, threshold):
        labels.append(label)
        per_image.append(loss(logits, label, confidence, threshold))
        return per_image[-1]

    def watched_cut(weak, pseudo, partner, box):
        partners.append(partner)
        boxes.append(box)
        return cut(weak, pseudo, partner, box)

    with monkeypatch.context() as patch:
        patch.setattr(imas, "confident_cross_entropy", watched_loss)
        patch.setattr(imas, "cutmix", watched_cut)
        torch.manual_seed(3)
        report = method.step(batch, FakeMinimize(), progress)
    return Seen(method, report, images[-1], labels, per_image, partners, boxes)


def all_equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return len(first) == len(second) and all(map(torch.equal, first, second))


@pytest.fixture
def paper(monkeypatch) -> Seen:
    """A step of the method as it is, in which CutMix takes place and the images differ."""
    seen = one_step(monkeypatch)
    h = seen.report.easiness
    assert len(seen.partners) == 1 and len(h.unique()) == COUNT and h.min() > 0 and h.max() < 1
    return seen


def test_plain_loss_weights_all_images_alike(monkeypatch, paper):
    seen, h = one_step(monkeypatch, plain_loss=True), paper.report.easiness
    assert torch.equal(seen.report.easiness, h) and torch.equal(seen.images, paper.images)
    assert all_equal(seen.labels, paper.labels) and all_equal(seen.per_image, paper.per_image)
    found, expected = seen.report.losses["unlabeled"], torch.stack(paper.per_image).detach()
    torch.testing.assert_close(found, expected.mean())
    torch.testing.assert_close(paper.report.losses["unlabeled"], (h * expected).mean())
    assert torch.equal(seen.report.losses["labeled"], paper.report.losses["labeled"])


def test_full_intensity_shows_the_strong_view_itself(monkeypatch, paper):
    seen, unlabeled = one_step(monkeypatch, full_intensity=True), some_batch().unlabeled
    h = paper.report.easiness.view(-1, 1, 1, 1)
    *others, strong = seen.images.split(COUNT)
    *same, blended = paper.images.split(COUNT)
    assert torch.equal(strong, unlabeled.strong[0]) and all_equal(others, same)
    torch.testing.assert_close(blended, h * unlabeled.strong[0] + (1 - h) * unlabeled.weak)
    assert all_equal(seen.labels, paper.labels)
    assert torch.equal(seen.report.easiness, paper.report.easiness)


def test_cutmix_at_a_fixed_probability(monkeypatch, paper):
    always = one_step(monkeypatch, cutmix_probability=1)
    assert torch.equal(always.images, paper.images) and all_equal(always.labels, paper.labels)
    never = one_step(monkeypatch, cutmix_probability=0)
    labeled, weak, _, strong = paper.images.split(COUNT)
    assert torch.equal(never.images, torch.cat([labeled, weak, strong]))
    assert never.report.scalars["cutmix"] == 0 and all_equal(never.labels, paper.labels[1:])
    with pytest.raises(ValueError, match="less than or equal to 1"):
        some_method(ablation={"cutmix_probability": 1.5})


def test_the_fixed_probability_does_not_depend_on_easiness(monkeypatch):
    monkeypatch.setattr(imas, "easiness", lambda *a: imas.Easiness(*torch.zeros(3, COUNT)))
    assert len(one_step(monkeypatch).partners) == 0
    assert len(one_step(monkeypatch, cutmix_probability=1).partners) == 1


def test_random_pairs_move_the_same_boxes(monkeypatch, paper):
    seen = one_step(monkeypatch, random_pairs=True)
    assert all_equal(seen.boxes, paper.boxes)
    (partner,), (sorted_partner,) = seen.partners, paper.partners
    assert torch.equal(sorted_partner, easy_hard_partners(paper.report.easiness))
    assert partner.sort().values.tolist() == [0, 1, 2, 3] and not torch.equal(
        partner, sorted_partner
    )
    first, second, _, last = seen.images.split(COUNT)
    as_before = paper.images.split(COUNT)
    assert all_equal([first, second, last], [as_before[0], as_before[1], as_before[3]])
    assert torch.equal(seen.report.easiness, paper.report.easiness)
    weak = some_batch().unlabeled.weak
    box = seen.boxes[0].unsqueeze(1)
    assert torch.equal(seen.images.split(COUNT)[2], torch.where(box, weak[partner], weak))


def test_random_partners_are_any_order():
    torch.manual_seed(0)
    orders = {tuple(random_partners(torch.zeros(3)).tolist()) for _ in range(100)}
    assert len(orders) == 6


def test_the_number_of_strong_operations_is_asked_of_the_loader():
    assert some_method().views == (("imas",), 2, False)
    assert some_method(ablation={"strong_operations": 3}).views.amount == 3
    assert IMAS.views.strong == ("imas",)


def test_the_student_makes_the_pseudo_labels(monkeypatch, paper):
    seen = one_step(monkeypatch, student_labels=True)
    assert torch.equal(seen.report.easiness, paper.report.easiness)
    assert torch.equal(seen.images, paper.images) and not all_equal(seen.labels, paper.labels)
    batch, valid = some_batch(), some_batch().unlabeled.valid
    for student_labels in (True, False):
        method = some_method(ablation={"student_labels": student_labels})
        chosen = method.student if student_labels else method.teacher.network
        with torch.no_grad():
            expected = chosen.eval()(batch.unlabeled.weak).labels().masked_fill(~valid, 255)
        method.student.train()
        labels = (seen if student_labels else paper).labels[-1]
        assert torch.equal(labels, expected)
        now = method.pseudo_labels(batch.unlabeled.weak, valid)
        sure = now.label != 255
        assert sure.any() and torch.equal(now.label[sure], expected[sure])
        assert torch.equal(sure, (now.confidence >= 0.4) & valid)


@pytest.mark.parametrize("length", [{"supervised_epochs": 2}, {"supervised_steps": 20}])
def test_the_supervised_phase_uses_labels_alone(monkeypatch, length):
    batch, method = some_batch(), some_method(ablation=length)
    plain = some_method()
    output = plain.student(batch.labeled.image)
    expected = plain.config.supervised_loss(output.logits, None, batch.labeled.mask)
    report = method.step(batch, FakeMinimize(), LATER._replace(step=19))
    assert [*report.by_name()] == ["loss_labeled"]
    assert torch.equal(report.losses["labeled"], expected.detach())
    ours, theirs = method.student.state_dict(), method.teacher.network.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert not torch.equal(ours["head.2.weight"], plain.student.state_dict()["head.2.weight"])


def test_the_teacher_copies_for_an_epoch_after_the_supervised_phase(monkeypatch):
    decays = []
    monkeypatch.setattr(imas, "ema_decay", lambda *a: decays.append(ema_decay(*a)) or decays[-1])
    for step in (20, 29, 30, 31):
        seen = one_step(monkeypatch, LATER._replace(step=step), supervised_epochs=2)
        assert "unlabeled" in seen.report.losses
    assert decays == pytest.approx([0, 0, 1 - 1 / 11, 1 - 1 / 12])
