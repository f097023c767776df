"""Three whole steps of iMAS beside a plain transcription of its algorithm, in float64."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Labeled, Progress, Unlabeled
from fewmask.methods.imas import IMAS
from fewmask.models import Segmenter
from fewmask.parts.boxes import random_boxes
from tests.methods import golden
from tests.methods.golden import exact, full_size, network, twin  # noqa: F401

SEEDS = (1, 2, 3)  # with and without CutMix
COUNT, K, TAU, LAMBDA, ALPHA = 4, 3, 0.5, 3.0, 0.6


def some_batch(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x_l, weak, strong = torch.randn(3, COUNT, 3, 33, 33, generator=generator)
    mask = torch.randint(0, K, (COUNT, 33, 33), generator=generator)
    mask[:, :, 25:] = IGNORE
    valid = torch.ones(COUNT, 33, 33, dtype=torch.bool)
    valid[1, 20:], valid[3, :, 28:] = False, False
    return Batch(Labeled(x_l, mask), Unlabeled(weak, (strong,), valid, torch.arange(COUNT)))


class Told(NamedTuple):
    """What a step of the transcription tells."""

    labeled: Tensor
    unlabeled: Tensor
    easiness: Tensor
    is_mixed: bool


def look(net: Segmenter, images: Tensor) -> tuple[Tensor, Tensor]:
    """Confidence and label of every pixel, in eval mode."""
    net.eval()
    with torch.no_grad():
        confidence, label = full_size(net(images).logits).softmax(1).max(1)
    net.train()
    return confidence, label


def easiness_of(look_s: tuple[Tensor, Tensor], look_t: tuple[Tensor, Tensor]) -> Tensor:
    """h of one image, class by class; class 0 is the background."""
    (conf_s, label_s), (conf_t, label_t) = look_s, look_t
    h = 0.0
    for confidence, areas_of in ((conf_t, label_t), (conf_s, label_s)):
        weighted = total = 0.0
        for c in range(1, K):
            both = int(((label_s == c) & (label_t == c)).sum())
            either = int(((label_s == c) | (label_t == c)).sum())
            area = int((areas_of == c).sum())
            weighted += area * (both / either if either else 0.0)
            total += area
        rho = float((confidence >= TAU).double().mean())
        h += rho * (weighted / total if total else 0.0) / 2
    return torch.tensor(h)


def transcribed(
    student: Segmenter, teacher: Segmenter, batch: Batch, step: int, is_ohem: bool
) -> Told:
    (x_l, y_l), (weak, (strong,), valid, *_) = batch[:2]
    conf_s, label_s = look(student, weak)
    conf_t, label_t = look(teacher, weak)
    pairs = zip(zip(conf_s, label_s, strict=True), zip(conf_t, label_t, strict=True), strict=True)
    h = torch.stack([easiness_of(s, t) for s, t in pairs])
    label, confidence = label_t.clone(), conf_t
    label[~valid] = IGNORE

    blended = torch.stack([h[i] * strong[i] + (1 - h[i]) * weak[i] for i in range(COUNT)])
    views = [(blended, label, confidence)]
    is_mixed = bool(torch.rand(()) < h.mean())
    if is_mixed:
        boxes = random_boxes(COUNT, 33, 33, (0.1, 0.9))
        order = sorted(range(COUNT), key=lambda i: float(h[i]))
        images, labels, confidences = weak.clone(), label.clone(), confidence.clone()
        for place, i in enumerate(order):
            j, box = order[COUNT - 1 - place], boxes[i]
            images[i][:, box] = weak[j][:, box]
            labels[i][box], confidences[i][box] = label[j][box], confidence[j][box]
        views.insert(0, (images, labels, confidences))

    output = student(torch.cat([x_l, weak, *[image for image, *_ in views]]))
    aux = None if output.aux_logits is None else output.aux_logits[:COUNT]
    loss_l = golden.supervised(output.logits[:COUNT], aux, y_l, is_ohem)
    loss_u = torch.zeros(())
    for number, (_, targets, sure) in enumerate(views):
        start = (2 + number) * COUNT
        log_probs = full_size(output.logits[start : start + COUNT]).log_softmax(1)
        for i in range(COUNT):
            used = (sure[i] >= TAU) & (targets[i] != IGNORE)
            picked = log_probs[i][:, used].gather(0, targets[i][used].unsqueeze(0))
            loss_u = loss_u - h[i] * picked.sum() / (33 * 33) / COUNT / len(views)
    golden.descend(loss_l + LAMBDA * loss_u, student)

    decay = 0.0 if step < 1 else min(1 - 1 / (step + 1), ALPHA)  # one step per epoch
    with torch.no_grad():
        ours, theirs = teacher.state_dict(), student.state_dict()
        for key in ours:
            new = theirs[key]
            is_number = ours[key].is_floating_point()
            ours[key].copy_(decay * ours[key] + (1 - decay) * new if is_number else new)
    return Told(loss_l.detach(), loss_u.detach(), h, is_mixed)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize(("is_ohem", "aux_head"), [(False, False), (True, True)])
def test_three_steps_are_those_of_the_paper(is_ohem, aux_head):
    first = network(aux_head)
    student, teacher = twin(first), twin(first)
    loss = {"kind": "ohem", "ohem_threshold": 0.4, "ohem_min_kept": 500} if is_ohem else {}
    config = IMAS.Config(name="imas", threshold=TAU, ema_decay=ALPHA, supervised_loss=loss)
    method = IMAS(lambda: first, config)

    def minimize(loss: Tensor, over: Segmenter) -> bool:
        golden.descend(loss, over)
        return True

    mixed = []
    for step in range(3):
        progress = Progress(step, total_steps=3, steps_per_epoch=1)
        torch.manual_seed(SEEDS[step])
        report = method.step(some_batch(step), minimize, progress)
        torch.manual_seed(SEEDS[step])
        told = transcribed(student, teacher, some_batch(step), step, is_ohem)
        torch.testing.assert_close(report.losses["labeled"], told.labeled, rtol=0, atol=1e-9)
        torch.testing.assert_close(report.losses["unlabeled"], told.unlabeled, rtol=0, atol=1e-9)
        torch.testing.assert_close(report.easiness, told.easiness, rtol=0, atol=1e-12)
        golden.assert_equal(method.student, student)
        golden.assert_equal(method.teacher.network, teacher)
        assert told.unlabeled > 0 and len(told.easiness.unique()) == COUNT
        assert report.scalars["cutmix"] == told.is_mixed
        mixed.append(told.is_mixed)
    assert {*mixed} == {True, False}
