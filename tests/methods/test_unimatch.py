"""UniMatch: golden numbers are from the released lines, run on a CPU."""

import pytest
import torch
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Labeled, Progress, StepReport, Unlabeled
from fewmask.errors import UserError
from fewmask.methods import unimatch
from fewmask.methods.unimatch import UniMatch
from fewmask.models import Segmenter
from fewmask.parts.boxes import area_boxes
from tests.methods import golden
from tests.methods.golden import exact, twin  # noqa: F401
from tests.methods.test_fixmatch import BOXES, LABELED, MASK, STRONG, VALID, WEAK
from tests.methods.two_views import (
    BOXES_2,
    COUNT,
    STRONG_2,
    Preset,
    assert_same,
    doubled_or_dropped,
    look,
    network,
    over_valid,
    pasted,
    some_batch,
)

MIDDLE = Progress(step=9, total_steps=1000, steps_per_epoch=10)


def made(student: nn.Module, **options) -> UniMatch:
    return UniMatch(lambda: student, UniMatch.Config(name="unimatch", **options))


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a second strong view."""
    first = batch.unlabeled.strong[0]
    strong = (first, torch.randn_like(first))
    return batch._replace(unlabeled=batch.unlabeled._replace(strong=strong))


def preset_step(
    monkeypatch, threshold: float, views: tuple[Tensor, ...], boxes: list[Tensor]
) -> tuple[StepReport, float, list[Tensor], Preset]:
    """A step whose boxes and logits are known, what it minimizes, and gradients of the logits."""
    boxes = [*boxes]
    monkeypatch.setattr(unimatch, "area_boxes", lambda *given: boxes.pop(0))
    answers = [torch.cat([LABELED, WEAK]), LABELED.clone(), torch.cat(views)]
    student, images = Preset(*(x.requires_grad_() for x in answers)), torch.zeros(2, 3, 2, 2)
    batch = Batch(
        Labeled(images, MASK), Unlabeled(images, (images, images), VALID, torch.arange(2))
    )
    seen = []

    def minimize(loss: Tensor, over: nn.Module) -> bool:
        loss.backward()
        seen.append(loss.item())
        return True

    report = made(student, threshold=threshold).step(batch, minimize, MIDDLE)
    return report, *seen, [x.grad for x in answers], student


@pytest.mark.parametrize(
    ("threshold", "strong", "feature", "total"),
    [
        (0.95, (0.522802, 0.733346), 0.712686, 0.890889),
        (0.70, (0.522802, 0.733346), 0.712686, 0.890889),
        (0, (0.873283, 1.274916), 0.825684, 1.030645),
    ],
)
def test_losses_of_two_images(monkeypatch, threshold, strong, feature, total):
    views, boxes = (STRONG, STRONG_2), [BOXES, BOXES_2]
    report, loss, *_ = preset_step(monkeypatch, threshold, views, boxes)
    losses = {name: value.item() for name, value in report.losses.items()}
    assert losses["labeled"] == pytest.approx(1.111399, abs=1e-6)
    assert losses["strong"] == pytest.approx(sum(strong) / 2, abs=1e-6)
    assert losses["feature"] == pytest.approx(feature, abs=1e-6)
    assert losses["unlabeled"] == pytest.approx(sum(strong) / 4 + feature / 2, abs=1e-6)
    assert loss == pytest.approx(total, abs=1e-6)
    # Of 8 pixels, one is padding, and two are not sure of their label at 0.7 and more.
    assert report.used_pixels == (5 / 8 if threshold else 7 / 8)


@pytest.mark.parametrize("boxes", [[BOXES, BOXES_2], [BOXES_2, BOXES]])
def test_the_order_of_the_strong_views_is_of_no_meaning(monkeypatch, boxes):
    views = (STRONG, STRONG_2) if boxes[0] is BOXES else (STRONG_2, STRONG)
    _, loss, *_ = preset_step(monkeypatch, 0.95, views, boxes)
    assert loss == pytest.approx(0.890889, abs=1e-6)


def test_gradients_of_strong_views_and_of_perturbed_features(monkeypatch):
    *_, gradients, _ = preset_step(monkeypatch, 0.95, (STRONG, STRONG_2), [BOXES, BOXES_2])
    first, perturbed = gradients[2][:2], gradients[1]
    expected = [
        [[-0.008831, 0, 0.005710, 0], [0.004415, 0, 0.005710, 0], [0.004415, 0, -0.011420, 0]],
        [[-0.004438, 0, 0.004415, 0], [0.002219, 0, 0.012002, 0], [0.002219, 0, -0.016418, 0]],
    ]
    torch.testing.assert_close(first.flatten(2), torch.tensor(expected), atol=1e-6, rtol=0)
    expected = [
        [[-0.007608, 0.007569, 0.001617, 0], [0.003804, -0.015139, 0.032480, 0],
         [0.003804, 0.007569, -0.034097, 0]],
        [[-0.015139, 0, 0.007569, 0], [0.007569, 0, -0.015139, 0], [0.007569, 0, 0.007569, 0]],
    ]  # fmt: skip
    torch.testing.assert_close(perturbed.flatten(2), torch.tensor(expected), atol=1e-6, rtol=0)
    assert gradients[0][2:].abs().max() == 0  # the labels' own logits


def test_two_encodings_of_labeled_and_weak_and_of_both_strong_views(monkeypatch):
    *_, student = preset_step(monkeypatch, 0.95, (STRONG, STRONG_2), [BOXES, BOXES_2])
    assert student.seen == [(True, 4), (True, 4)] and not student.answers


def transcribed(net: Segmenter, batch: Batch, options: dict) -> dict[str, Tensor]:
    """One step as the head of the file has it."""
    (x_l, y_l), (weak, strong, valid, *_) = batch[:2]
    tau = options["threshold"]
    stages = net.encoder(torch.cat([x_l, weak]))
    weak_factors = [doubled_or_dropped(x.shape[1]) for x in stages]
    dropped = [x[COUNT:] * f for x, f in zip(stages, weak_factors, strict=True)]
    if options["joint_statistics"]:
        factors = [doubled_or_dropped(x.shape[1]) for x in stages]
        joined = [
            torch.cat([x, x[:COUNT] * f, d])
            for x, f, d in zip(stages, factors, dropped, strict=True)
        ]
        output = net.decode(joined, (33, 33))
        z_l, z_w, _, z_fp = output.logits.split(COUNT)
    else:
        output = net.decode(stages, (33, 33))
        z_l, z_w = output.logits.split(COUNT)
        z_fp = net.decode(dropped, (33, 33)).logits
    aux = None if output.aux_logits is None else output.aux_logits[:COUNT]
    label, confidence = look(z_w, valid)
    boxes = [area_boxes(COUNT, 33, 33, 0.5) for _ in strong]
    z = net(torch.cat([pasted(x, box) for x, box in zip(strong, boxes, strict=True)])).logits
    streams = [
        over_valid(each, pasted(label, box), pasted(confidence, box), tau)
        for each, box in zip(z.split(COUNT), boxes, strict=True)
    ]
    losses = {
        "labeled": golden.supervised(z_l, aux, y_l, "supervised_loss" in options),
        "strong": (streams[0] + streams[1]) / 2,
        "feature": over_valid(z_fp, label, confidence, tau),
    }
    losses["unlabeled"] = 0.7 * losses["feature"] + 0.4 * losses["strong"]
    golden.descend((losses["labeled"] + losses["unlabeled"]) / 2, net)
    return {name: loss.detach() for name, loss in losses.items()}


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize(
    ("decoder", "is_ohem", "is_joint"),
    [
        ("deeplabv3plus", False, True),
        ("deeplabv3plus", False, False),
        ("deeplabv3plus", True, True),
        ("dpt", False, False),
    ],
)
def test_three_steps_are_those_of_the_paper(decoder, is_ohem, is_joint):
    first = network(decoder, aux_head=is_ohem)
    student = twin(first)
    loss = {"kind": "ohem", "ohem_threshold": 0.4, "ohem_min_kept": 500}
    options = {"threshold": 0.5, "feature_weight": 0.7, "strong_weight": 0.4}
    options |= {"joint_statistics": is_joint}
    options |= {"supervised_loss": loss} if is_ohem else {}
    method = made(first, **options)

    def minimize(loss: Tensor, over: Segmenter) -> bool:
        assert over is first
        golden.descend(loss, over)
        return True

    for step in range(3):
        torch.manual_seed(step)
        report = method.step(some_batch(step), minimize, MIDDLE._replace(step=step))
        torch.manual_seed(step)
        told = transcribed(student, some_batch(step), options)
        assert report.losses.keys() == told.keys()
        for name, value in told.items():
            torch.testing.assert_close(report.losses[name], value, rtol=0, atol=1e-9)
            assert value > 0
        assert_same(method.student, student)


@pytest.mark.parametrize(("is_joint", "sizes"), [(True, [8, 4]), (False, [4, 2, 4])])
def test_labeled_features_are_dropped_only_for_joint_statistics(
    student, batch, minimize, is_joint, sizes
):
    seen = []
    student.decoder.register_forward_pre_hook(lambda m, inputs: seen.append(len(inputs[0][0])))
    made(student, joint_statistics=is_joint).step(batch, minimize, MIDDLE)
    assert seen == sizes


def test_a_decoder_without_batchnorm_has_nothing_to_join(batch, minimize):
    student, seen = network("dpt", aux_head=False).float(), []
    student.decoder.register_forward_pre_hook(lambda m, inputs: seen.append(len(inputs[0][0])))
    made(student).step(batch, minimize, MIDDLE)
    assert seen == [4, 2, 4]


def test_views_and_their_boxes_are_drawn_on_their_own(student, batch, minimize):
    method, seen = made(student, cutmix_probability=1), []
    student.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    method.step(batch, minimize, MIDDLE)
    assert torch.equal(seen[0], torch.cat([batch.labeled.image, batch.unlabeled.weak]))
    changed = []
    for mixed, strong in zip(seen[1].chunk(2), batch.unlabeled.strong, strict=True):
        changed.append((mixed != strong).any(1, keepdim=True))
        assert torch.equal(mixed, torch.where(changed[-1], strong.flip(0), strong))
    assert (changed[0] != changed[1]).any()


def test_what_is_not_sure_teaches_nothing(student, batch, minimize):
    method = made(student, threshold=1.0)
    report = method.step(batch, minimize, MIDDLE)
    assert report.losses["unlabeled"] == 0 and report.used_pixels == 0
    label, _ = method.pseudo_labels(batch.unlabeled.weak, batch.unlabeled.valid)
    assert (label == IGNORE).all()


def test_one_unlabeled_image_is_refused(student, batch, minimize):
    single = batch._replace(unlabeled=batch.unlabeled._replace(weak=batch.unlabeled.weak[:1]))
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        made(student).step(single, minimize, MIDDLE)
