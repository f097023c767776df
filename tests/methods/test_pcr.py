"""PCR: golden numbers of its parts are in tests/parts/test_prototypes.py."""

import pytest
import torch

from fewmask.batch import Progress
from fewmask.errors import UserError
from fewmask.methods.pcr import PCR
from fewmask.parts.losses import cross_entropy

WARMUP = Progress(step=9, total_steps=100, steps_per_epoch=10)
FIRST = WARMUP._replace(step=10)
LATER = WARMUP._replace(step=30)


def method(student, **options) -> PCR:
    return PCR(lambda: student, PCR.Config(name="pcr", cells=8, threshold=0.3, **options))


def prepared(student, batch, **options) -> PCR:
    made = method(student, **options)
    made.prepare([batch.labeled], FIRST)
    return made


def test_dense_losses_of_the_spec():
    logits = torch.tensor([[1, 0.5, -0.5], [0.2, 0.1, 0], [0.3, 0.9, -1], [-1, 0, 2]])
    teacher = torch.tensor([[2.0, 0, 0], [0, 3, 0], [1, 1.2, 0.9], [0, 0, 4]])
    confidence, label = teacher.softmax(dim=1).max(dim=1)
    for threshold, expected in ((0.65, 0.468980), (0.80, 0.317947)):
        loss = cross_entropy(logits, label, confidence >= threshold)
        assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_warm_up_trains_on_labels_alone_and_the_teacher_is_a_copy(student, batch, minimize):
    pcr = method(student)
    scalars = pcr.step(batch, minimize, WARMUP).by_name()
    assert scalars.keys() == {"loss_labeled"}
    for ours, theirs in zip(pcr.teacher.parameters(), pcr.student.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    pcr.prepare([batch.labeled], WARMUP)
    assert not pcr.prototypes.known.any()
    assert list(pcr.predictors()) == ["teacher", "student"]


def test_the_warm_up_can_be_counted_in_steps(student, batch, minimize):
    """Ten steps are an epoch here; three of them are enough if the option says so."""
    pcr, third = method(student, warmup_steps=3), FIRST._replace(step=3)
    pcr.prepare([batch.labeled], third._replace(step=2))
    assert pcr.step(batch, minimize, third._replace(step=2)).used_pixels is None
    assert not pcr.prototypes.known.any()
    pcr.prepare([batch.labeled], third)
    assert pcr.prototypes.known.any()
    assert pcr.step(batch, minimize, third).used_pixels is not None


def test_step_moves_student_teacher_and_prototypes(student, batch, minimize):
    torch.manual_seed(0)
    pcr = prepared(student, batch)
    assert pcr.prototypes.known.all()
    before = {name: x.clone() for name, x in pcr.state_dict().items()}
    scalars = pcr.step(batch, minimize, LATER).by_name()
    assert len(minimize.calls) == 1 and minimize.calls[0][1] is pcr.student
    total = sum(v for k, v in scalars.items() if k.startswith("loss"))
    assert minimize.calls[0][0] == pytest.approx(total.item(), abs=1e-5)
    after = pcr.state_dict()
    for part in ("student.encoder.", "student.decoder.", "student.head."):
        assert any(not torch.equal(before[k], after[k]) for k in after if k.startswith(part)), part
    moved = {k.split(".")[0] for k in after if not torch.equal(before[k], after[k])}
    assert moved == {"student", "teacher", "prototypes"}
    assert all(p.grad is None for p in pcr.teacher.parameters())
    assert 0 <= scalars["prototype_agreement"] <= 1


def test_both_predictors_can_be_evaluated(student, batch):
    pcr = prepared(student, batch)
    networks = pcr.predictors()
    assert list(networks) == ["teacher", "student", "prototype"]
    image = torch.randn(1, 3, 40, 52)
    logits = networks["prototype"].eval()(image).upsampled_logits
    assert logits.shape == (1, 3, 40, 52)
    features = networks["teacher"](image).features.permute(0, 2, 3, 1).flatten(0, 2)
    corner = pcr.prototypes(features).logits[0]
    torch.testing.assert_close(logits[0, :, 0, 0], corner)


def test_padding_teaches_neither_head(student, batch, minimize):
    """Nothing is confident but padding: no unlabeled loss, prototypes as with labels alone."""
    pcr = prepared(student, batch)
    unlabeled = batch.unlabeled._replace(valid=torch.zeros(2, 33, 33, dtype=torch.bool))
    scalars = pcr.step(batch._replace(unlabeled=unlabeled), minimize, LATER).by_name()
    assert scalars["loss_unlabeled"] == scalars["loss_prototype_unlabeled"] == 0
    assert scalars["used_pixels"] == 0


def test_one_unlabeled_image_is_refused(student, batch, minimize):
    single = batch._replace(unlabeled=batch.unlabeled._replace(weak=batch.unlabeled.weak[:1]))
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        method(student).step(single, minimize, WARMUP)


def test_more_prototypes_than_pixels_are_refused(student):
    with pytest.raises(UserError, match=r"method.prototypes=100: .* 64 pixels"):
        method(student, prototypes=100)


def test_an_impossible_grid_is_refused_before_the_warm_up(student, batch, minimize):
    pcr = PCR(lambda: student, PCR.Config(name="pcr", cells=40))
    with pytest.raises(UserError, match="method.cells=40 .* 33 x 33 pixels"):
        pcr.step(batch, minimize, WARMUP)
    assert minimize.calls == []
