"""Whole steps of PCR and GTA-Seg equal those of a plain transcription of their equations.

The transcription is in this file: loops, torch's own functions, and nothing of fewmask but the
network. Pixels are few, numbers are float64, and CutMix pastes a box that is known.
"""

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.batch import Batch, Labeled, Progress, Unlabeled
from fewmask.methods.gta import GTA
from fewmask.methods.pcr import PCR
from fewmask.parts import mixing
from fewmask.parts.losses import SupervisedLoss
from tests.conftest import FakeMinimize
from tests.tiny import Pointwise

START = Progress(step=0, total_steps=20, steps_per_epoch=2)
WARM_UP, WHOLE_STEPS = 2, 3
LR, AUX_WEIGHT, SIZE = 0.05, 0.4, (8, 8)
TOP, BOTTOM, LEFT, RIGHT = 2, 7, 1, 6  # the box of CutMix
OHEM = {"kind": "ohem", "ohem_threshold": 0.3, "ohem_min_kept": 40}

losses = pytest.mark.parametrize(("ohem", "aux"), [(False, False), (True, False), (True, True)])


@pytest.fixture(autouse=True)
def known_box(monkeypatch) -> None:
    def boxes(count: int, height: int, width: int) -> Tensor:
        made = torch.zeros(count, height, width, dtype=torch.bool)
        made[:, TOP:BOTTOM, LEFT:RIGHT] = True
        return made

    monkeypatch.setattr(mixing, "half_area_boxes", boxes)


def seeded_batch() -> Batch:
    """Two labeled and three unlabeled images, with some padding."""
    torch.manual_seed(1)
    mask, valid = torch.randint(0, 3, (2, 8, 8)), torch.ones(3, 8, 8, dtype=torch.bool)
    mask[0, 7:], valid[1, :, 6:] = 255, False
    labeled = Labeled(torch.randn(2, 3, 8, 8).double(), mask)
    return Batch(labeled, Unlabeled(torch.randn(3, 3, 8, 8).double(), (), valid, torch.arange(3)))


def seeded_network(aux: bool) -> Pointwise:
    torch.manual_seed(0)
    network = Pointwise(batchnorm=True, aux_head=aux)
    with torch.no_grad():
        network.head.weight.mul_(3)  # or it would be sure of nothing
    return network


# The transcription.


def enlarged(logits: Tensor) -> Tensor:
    return F.interpolate(logits, SIZE, mode="bilinear", align_corners=True)


def supervised(logits: Tensor, mask: Tensor, ohem: bool) -> Tensor:
    """Mean cross-entropy of the labeled pixels, or of the hard ones."""
    log_probs = enlarged(logits).log_softmax(1)
    pixels = [
        log_probs[i, mask[i, r, c], r, c]
        for i in range(len(mask))
        for r in range(8)
        for c in range(8)
        if mask[i, r, c] != 255
    ]
    if ohem:
        hardest = sorted(float(x.detach().exp()) for x in pixels)[: OHEM["ohem_min_kept"]]
        bound = max(OHEM["ohem_threshold"], hardest[-1])
        pixels = [x for x in pixels if x.exp() <= bound]
    return -torch.stack(pixels).mean()


def student_loss(output: Any, count: int, mask: Tensor, ohem: bool) -> Tensor:
    loss = supervised(output.logits[:count], mask, ohem)
    if output.aux_logits is not None:
        loss = loss + AUX_WEIGHT * supervised(output.aux_logits[:count], mask, ohem)
    return loss


def labels_of(teacher: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Mixed images, their pseudo-labels and confidences."""
    weak, _, valid, *_ = batch.unlabeled
    with torch.no_grad():
        confidence, label = enlarged(teacher.eval()(weak).logits).softmax(1).max(1)
    label[~valid] = 255
    mixed = [weak.clone(), label.clone(), confidence.clone()]
    for i in range(3):
        for ours, theirs in zip(mixed, (weak, label, confidence), strict=True):
            ours[i, ..., TOP:BOTTOM, LEFT:RIGHT] = theirs[(i + 1) % 3, ..., TOP:BOTTOM, LEFT:RIGHT]
    return mixed[0], mixed[1], mixed[2]


def descend(loss: Tensor, network: nn.Module) -> None:
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for p, gradient in zip(parameters, gradients, strict=True):
            p -= LR * gradient


def average(ours: nn.Module, theirs: nn.Module, decay: float, but: tuple[str, ...] = ()) -> None:
    """Weights and running statistics; `but` names modules that stay."""
    state = theirs.state_dict()
    for name, x in ours.state_dict().items():
        if name.split(".")[0] in but:
            continue
        is_float = x.is_floating_point()
        x.copy_(decay * x + (1 - decay) * state[name] if is_float else state[name])


def ramp(n: int, cap: float) -> float:
    return min(1 - 1 / (n + 1), cap)


def same(method_network: nn.Module, ours: nn.Module) -> None:
    torch.testing.assert_close(
        dict(method_network.state_dict()), dict(ours.state_dict()), atol=1e-6, rtol=0
    )


# GTA-Seg.

Q, LAMBDA, KAPPA_A, KAPPA_T = 70, 0.7, 0.6, 0.55


def gentle(logits: Tensor, label: Tensor, confidence: Tensor) -> Tensor:
    """Section 3.2: weights 1 + c over the sum of the weights of all pixels."""
    log_probs = enlarged(logits).log_softmax(1)
    cut = np.percentile(confidence[label != 255].numpy(), 100 - Q)
    upper, lower = torch.zeros(()).double(), 0.0
    for i in range(len(label)):
        for r in range(8):
            for c in range(8):
                y, sure = int(label[i, r, c]), float(confidence[i, r, c])
                if y != 255 and sure > cut:
                    upper = upper - (1 + sure) * log_probs[i, y, r, c]
                    lower += 1 + sure
                else:
                    lower += 1 if y != 255 else 1 + sure
    return upper / lower


@losses
def test_steps_of_gta(ohem, aux):
    network, batch = seeded_network(aux), seeded_batch()
    loss = SupervisedLoss(**OHEM) if ohem else SupervisedLoss()
    config = GTA.Config(
        name="gta", keep_percent=Q, unlabeled_weight=LAMBDA, feature_decay=KAPPA_A,
        ema_decay=KAPPA_T, cutmix_probability=1.0, supervised_loss=loss)  # fmt: skip
    s, a, t = (copy.deepcopy(network) for _ in range(3))
    gta, minimize = GTA(lambda: network, config), FakeMinimize(LR)
    (x_l, y_l), moved = batch.labeled, []

    for step in range(WARM_UP + WHOLE_STEPS):
        n = step - WARM_UP
        if n < 0:
            loss_s = student_loss(s.train()(x_l), 2, y_l, ohem)
            descend(loss_s, s)
            average(t, s, decay=0)
        if n == 0:
            average(a, s, decay=0)
        if n >= 0:
            mixed, label, confidence = labels_of(t, batch)
            images = torch.cat([x_l, mixed])
            output = a.train()(images)
            loss_u = gentle(output.logits[2:], label, confidence)
            total = loss_u
            if aux:
                total = total + AUX_WEIGHT * gentle(output.aux_logits[2:], label, confidence)
            descend(LAMBDA * total, a)
            statistics = {k: x.clone() for k, x in s.named_buffers()}
            average(s, a, ramp(n, KAPPA_A), but=("head", "aux_head"))
            for name, x in s.named_buffers():
                x.copy_(statistics[name])  # only weights flow from the assistant
            loss_s = student_loss(s.train()(images), 2, y_l, ohem)
            descend(loss_s, s)
            average(t, s, ramp(n, KAPPA_T))

        report = gta.step(batch, minimize, START._replace(step=step)).losses
        expected = {"labeled": loss_s} | ({"assistant": loss_u} if n >= 0 else {})
        for name, value in expected.items():
            assert report[name].item() == pytest.approx(value.item(), abs=1e-6), name
        same(gta.student, s)
        same(gta.teacher.network, t)
        if n >= 0:
            same(gta.assistant, a)
        moved.append(gta.teacher.network.head.weight.clone())
    assert not torch.allclose(moved[-1], moved[-2], atol=1e-4)


# PCR.

TAU, ALPHA, BETA, T, K = 0.45, 0.9, 0.6, 0.2, 2


def prototype_logits(features: Tensor, prototypes: Tensor) -> tuple[Tensor, Tensor]:
    """Section 2.1, for features [N, D] and prototypes [classes, K, D]."""
    logits, winners = [], []
    for own in prototypes:
        cosine = torch.stack([F.cosine_similarity(features, p[None], eps=1e-12) for p in own], 1)
        best, winner = cosine.max(1)
        logits.append(best / T)
        winners.append(winner)
    return torch.stack(logits, 1), torch.stack(winners, 1)


def follow(prototypes: Tensor, features: Tensor, labels: Tensor, winners: Tensor) -> Tensor:
    """Section 2.4, one joint call."""
    moved = prototypes.clone()
    for c in range(3):
        for k in range(K):
            mine = (labels == c) & (winners[:, c] == k)
            if mine.any():
                mean = features[mine].mean(0)
                moved[c, k] = ALPHA * prototypes[c, k] + (1 - ALPHA) * mean
    return moved


def over_all(logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    """Cross-entropy of the pixels that count, over the number of those with a label."""
    loss = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")
    return (loss * counts).sum() / (labels != 255).sum()


@losses
def test_steps_of_pcr(ohem, aux):
    network, batch = seeded_network(aux), seeded_batch()
    loss = SupervisedLoss(**OHEM) if ohem else SupervisedLoss()
    config = PCR.Config(
        name="pcr", threshold=TAU, prototypes=K, temperature=T, prototype_momentum=ALPHA,
        cells=8, cutmix_probability=1.0, ema_decay=BETA, supervised_loss=loss)  # fmt: skip
    s, t = (copy.deepcopy(network) for _ in range(2))
    pcr, minimize = PCR(lambda: network, config), FakeMinimize(LR)
    (x_l, y_l), prototypes = batch.labeled, torch.empty(0)

    for step in range(WARM_UP + WHOLE_STEPS):
        n, progress = step - WARM_UP, START._replace(step=step)
        pcr.prepare([batch.labeled], progress)
        if n == 0:
            prototypes = pcr.prototypes.vectors.double()  # k-means has tests of its own
        if n < 0:
            terms = {"labeled": student_loss(s.train()(x_l), 2, y_l, ohem)}
            descend(terms["labeled"], s)
            average(t, s, decay=0)
        else:
            mixed, label, confidence = labels_of(t, batch)
            output = s.train()(torch.cat([x_l, mixed]))
            sure = confidence >= TAU
            assert 20 < (sure & (label != 255)).sum() < 150
            features = enlarged(output.features).permute(0, 2, 3, 1).reshape(-1, 5)
            logits, winners = prototype_logits(features, prototypes)
            all_labeled = torch.ones_like(y_l, dtype=torch.bool)
            terms = {
                "labeled": student_loss(output, 2, y_l, ohem),
                "unlabeled": over_all(enlarged(output.logits[2:]), label, sure),
                "prototype_labeled": over_all(logits[:128], y_l.flatten(), all_labeled.flatten()),
                "prototype_unlabeled": over_all(logits[128:], label.flatten(), sure.flatten()),
            }
            descend(sum(terms.values()), s)
            average(t, s, ramp(n, BETA))
            known = torch.cat([y_l.flatten(), torch.where(sure, label, 255).flatten()])
            prototypes = follow(prototypes, features.detach(), known, winners)

        report = pcr.step(batch, minimize, progress).losses
        assert report.keys() == terms.keys()
        for name, value in terms.items():
            assert report[name].item() == pytest.approx(value.item(), abs=1e-6), name
        same(pcr.student, s)
        same(pcr.teacher.network, t)
        if n >= 0:
            found = pcr.prototypes.vectors.double()
            torch.testing.assert_close(found, prototypes, atol=1e-6, rtol=0)
