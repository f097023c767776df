"""Three whole steps of PseudoSeg beside a plain transcription of its algorithm, in float64."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Labeled, Progress, Unlabeled
from fewmask.methods.pseudoseg import PseudoSeg
from fewmask.models import Segmenter
from fewmask.parts.boxes import boxes_at
from tests.methods import golden
from tests.methods.golden import exact, network, twin  # noqa: F401

COUNT, K, D, LAMBDA, GAMMA, TAU = 4, 3, 5, 0.7, 0.4, 0.55
SIDE = 0.3  # of the CutOut box: 10 of 33 pixels


def some_batch(step: int, has_labels: bool) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x_l, weak, strong = torch.randn(3, COUNT, 3, 33, 33, generator=generator)
    mask = torch.randint(0, K, (COUNT, 33, 33), generator=generator)
    mask[0][mask[0] == 2] = 0  # a class that is not there
    valid_l, valid = torch.ones(2, COUNT, 33, 33, dtype=torch.bool)
    valid_l[1, 20:], valid_l[2, :, 10:] = False, False
    valid[0, 28:], valid[3, :, 14:] = False, False
    mask[~valid_l] = IGNORE
    mask[:, 5:7] = IGNORE
    present = torch.rand(COUNT, K, generator=generator) < 0.6 if has_labels else None
    unlabeled = Unlabeled(weak, (strong,), valid, torch.arange(COUNT), present)
    return Batch(Labeled(x_l, mask), unlabeled, valid_l)


def resized(x: Tensor, size: int) -> Tensor:
    return F.interpolate(x, (size, size), mode="bilinear", align_corners=True)


def on_grid(valid: Tensor, size: int) -> Tensor:
    """A map of pixels at the positions of a coarser grid, whose corners are pixels."""
    step = 32 // (size - 1)
    return valid[:, ::step, ::step]


def attend(method: PseudoSeg, stages: list[Tensor], present: Tensor, valid: Tensor) -> Tensor:
    """The logits m of CAM and attention, image by image and position by position."""
    last, inner = stages[-1].detach(), stages[-2].detach()
    size = last.shape[-1]
    weights = method.classifier.weight.detach()
    hypercolumn = torch.cat([last, resized(inner, size)], dim=1)
    query, key = (
        layer.weight[:, :, 0, 0] for layer in (method.attention.query, method.attention.key)
    )
    mixing, spread = method.attention.mix.weight[:, :, 0, 0], []
    for i in range(COUNT):
        maps = []
        for c in range(K - 1):
            raw = sum(weights[c, k] * last[i, k] for k in range(last.shape[1])).clamp(min=0)
            gated = present[i, c] * raw / size**2
            maps.append((gated / max(float(gated.max()), 1e-5)).flatten())
        v = torch.stack(maps, dim=1)  # [L, K-1]
        h = hypercolumn[i].flatten(1).T  # [L, C]
        scores = (h @ query.T) @ (h @ key.T).T / math.sqrt(D)
        scores[:, ~on_grid(valid, size)[i].flatten()] = -1e9
        u = scores.softmax(dim=1) @ v + v
        background = 2 - u.max(dim=1, keepdim=True).values
        spread.append(torch.cat([background, u], dim=1) @ mixing.T)  # [L, K]
    values = torch.stack(spread)  # [B, L, K]
    mean, variance = values.mean((0, 1)), values.var((0, 1), correction=0)
    values = (values - mean) / (variance + 1e-3).sqrt() + method.attention.norm.bias
    return values.transpose(1, 2).unflatten(2, (size, size))


def classify(method: PseudoSeg, stages: list[Tensor]) -> Tensor:
    return stages[-1].mean((2, 3)) @ method.classifier.weight.T + method.classifier.bias


def decode(student: Segmenter, stages: list[Tensor]) -> Tensor:
    """Logits at stride 4: 9 x 9."""
    return resized(student.decode(stages, (33, 33)).logits, 9)


def transcribed(method: PseudoSeg, batch: Batch, is_ohem: bool) -> dict[str, Tensor]:
    """One step, which trains the networks of `method`, but calls nothing of its code."""
    student = method.student
    (x_l, y_l), (weak, (strong,), valid, _, present), valid_l = batch
    rows, columns = torch.randint(33, (COUNT,)), torch.randint(33, (COUNT,))
    cut = boxes_at(rows, columns, (10, 10), 33, 33)
    strong, valid = strong.clone(), valid & ~cut
    for i in range(COUNT):
        strong[i][:, cut[i]] = 0
    present_l = torch.tensor([[float((y == c).any()) for c in range(1, K)] for y in y_l])

    stages = student.encoder(x_l)
    labeled = student.decode(stages, (33, 33))
    z, truth = classify(method, stages), present_l
    m_l = attend(method, stages, present_l, valid_l)
    stages = student.encoder(weak)
    if present is not None:
        z, truth = classify(method, stages), present[:, 1:].double()
    with torch.no_grad():
        p = decode(student, stages)
        student.encoder.eval()
        stages = student.encoder(weak)
        student.encoder.train()
        t_u = (classify(method, stages).sigmoid() >= 0.5).double() if present is None else truth
        m = resized(attend(method, stages, t_u, valid), 9)
        s = torch.cat([p.flatten(), m.flatten()]).square().mean().add(1e-8).sqrt()
        fused = GAMMA * (p / s).softmax(1) + (1 - GAMMA) * (m / s).softmax(1)
        y = fused.square() / fused.square().sum(1, keepdim=True)
    q = decode(student, student.encoder(strong)).log_softmax(1)

    total, seen = torch.zeros(()), on_grid(valid, 9)
    for i, row, column in seen.nonzero().tolist():
        if y[i, :, row, column].max() >= TAU:
            total = total - (y[i, :, row, column] * q[i, :, row, column]).sum()
    losses = {
        "labeled": golden.supervised(labeled.logits, labeled.aux_logits, y_l, is_ohem),
        "unlabeled": total / seen.sum(),
        "sgc": golden.mean_cross_entropy(m_l, y_l),
        "class": (z.clamp(min=0) - z * truth + (1 + (-z.abs()).exp()).log()).mean(),
    }
    loss = sum(losses.values()) + (LAMBDA - 1) * losses["unlabeled"]
    golden.descend(loss, student, method.classifier, method.attention)
    return {name: value.detach() for name, value in losses.items()}


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("has_labels", [False, True])
@pytest.mark.parametrize(("is_ohem", "aux_head"), [(False, False), (True, True)])
def test_three_steps_are_those_of_the_paper(is_ohem, aux_head, has_labels):
    loss = {"kind": "ohem", "ohem_threshold": 0.4, "ohem_min_kept": 500} if is_ohem else {}
    config = PseudoSeg.Config(
        name="pseudoseg", unlabeled_weight=LAMBDA, decoder_share=GAMMA, threshold=TAU,
        attention_dimension=D, cutout_side=SIDE, supervised_loss=loss,
    )  # fmt: skip
    student = network(aux_head)
    method = PseudoSeg(lambda: student, config).double()
    plain = twin(method)

    def minimize(loss: Tensor, over: nn.Module) -> bool:
        golden.descend(loss, method.student, method.classifier, method.attention)
        return True

    for step in range(3):
        torch.manual_seed(step)
        report = method.step(some_batch(step, has_labels), minimize, Progress(step, 3, 1))
        torch.manual_seed(step)
        losses = transcribed(plain, some_batch(step, has_labels), is_ohem)
        assert report.losses.keys() == losses.keys()
        for name, value in losses.items():
            torch.testing.assert_close(report.losses[name], value, rtol=0, atol=1e-9, msg=name)
        golden.assert_equal(method, plain)
        assert 0 < report.used_pixels < 0.9 and all(value > 0 for value in losses.values())
