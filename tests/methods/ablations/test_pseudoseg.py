"""The switches of PseudoSeg: each changes what its row says, and nothing else."""

from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fewmask.batch import Batch, StepReport
from fewmask.methods import pseudoseg
from fewmask.methods.ablations.pseudoseg import DECODER_ONLY, one_hot
from fewmask.methods.pseudoseg import PseudoSeg, fuse
from fewmask.models import create_model
from fewmask.parts.losses import soft_cross_entropy
from fewmask.parts.pseudo_labels import sharpen
from tests.conftest import MID_TRAINING, TINY, FakeMinimize


class Seen(NamedTuple):
    """What one step did."""

    method: PseudoSeg
    report: StepReport
    decoder: Tensor  # logits p of the weak view
    attention: Tensor  # logits m
    target: Tensor
    confident: Tensor
    strong: Tensor  # the decoder's logits of the strong view
    valid: Tensor


def some_method(**options: Any) -> PseudoSeg:
    torch.manual_seed(0)
    student = create_model(TINY, num_classes=3)
    return PseudoSeg(lambda: student, PseudoSeg.Config(name="pseudoseg", **options))


def one_step(monkeypatch, batch: Batch, **options: Any) -> Seen:
    method, opinions, losses = some_method(**options), [], []

    def watched_fuse(decoder, attention, *rest):
        opinions.append((decoder, attention))
        return fuse(decoder, attention, *rest)

    def watched_loss(logits, target, valid, confident):
        losses.append((target, confident, logits.detach(), valid))
        return soft_cross_entropy(logits, target, valid, confident)

    with monkeypatch.context() as patch:
        patch.setattr(pseudoseg, "fuse", watched_fuse)
        patch.setattr(pseudoseg, "soft_cross_entropy", watched_loss)
        torch.manual_seed(3)
        report = method.step(batch, FakeMinimize(), MID_TRAINING)
    return Seen(method, report, *opinions[0], *losses[0])


@pytest.fixture
def paper(monkeypatch, batch) -> Seen:
    return one_step(monkeypatch, batch)


def test_by_default_the_target_is_the_sharpened_calibrated_fusion(paper):
    torch.testing.assert_close(
        paper.target, sharpen(fuse(paper.decoder, paper.attention, 0.5), 0.5)
    )
    assert paper.confident.all()


def same_views_and_labels(seen: Seen, paper: Seen) -> bool:
    """Whether all but the target and the attention is as without the switch."""
    return (
        torch.equal(seen.decoder, paper.decoder)
        and torch.equal(seen.strong, paper.strong)
        and torch.equal(seen.valid, paper.valid)
        and torch.equal(seen.report.losses["labeled"], paper.report.losses["labeled"])
    )


def test_hard_labels_are_those_of_the_fusion_and_its_probability_is_the_confidence(
    monkeypatch, batch, paper
):
    seen = one_step(monkeypatch, batch, ablation={"hard_labels": True}, threshold=0.5)
    assert same_views_and_labels(seen, paper) and torch.equal(seen.attention, paper.attention)
    probs = fuse(paper.decoder, paper.attention, 0.5)
    labels = probs.argmax(dim=1)
    assert torch.equal(seen.target.argmax(dim=1), labels)
    assert ((seen.target == 0) | (seen.target == 1)).all() and (seen.target.sum(dim=1) == 1).all()
    assert torch.equal(seen.confident, probs.amax(dim=1) >= 0.5)
    assert 0 < seen.confident.float().mean() < 1
    used = seen.confident & seen.valid
    each = F.cross_entropy(seen.strong, labels, reduction="none")
    expected = (each * used).sum() / seen.valid.sum()
    torch.testing.assert_close(seen.report.losses["unlabeled"], expected)


def test_hard_labels_of_two_pixels():
    """Golden numbers follow from the formulas of the released code."""
    decoder = torch.tensor([[[2.0, 0.5]], [[0, 1.5]], [[-1, 0]]]).unsqueeze(0)  # [1, 3, 1, 2]
    attention = torch.tensor([[[1.0, 0]], [[0.5, -1]], [[0, 2]]]).unsqueeze(0)
    target = one_hot(fuse(decoder, attention, 0.5))
    assert target.argmax(dim=1).flatten().tolist() == [0, 2]
    strong = torch.tensor([[[1.0, 0]], [[1, 0.5]], [[0, 1]]]).unsqueeze(0)
    everywhere = torch.ones(1, 1, 2, dtype=torch.bool)
    loss = soft_cross_entropy(strong, target, everywhere, everywhere)
    assert loss.item() == pytest.approx((0.861995 + 0.680270) / 2, abs=1e-6)
    plain = fuse(decoder, attention, 0.5, is_calibrated=False)[0, :, 0].T
    expected = [[0.675138, 0.210696, 0.114167], [0.172710, 0.335271, 0.492020]]
    torch.testing.assert_close(plain, torch.tensor(expected), atol=1e-5, rtol=0)


def test_hard_labels_in_the_evaluation_of_pseudo_labels(batch):
    """They are judged by the fusion's probability too, which sharpening would raise."""
    found = []
    for hard_labels in (False, True):
        method = some_method(threshold=0.5, ablation={"hard_labels": hard_labels})
        found.append(method.pseudo_labels(batch.unlabeled.weak, batch.unlabeled.valid))
    soft, hard = found
    assert (hard.confidence <= soft.confidence + 1e-6).all()
    assert (hard.label != 255).sum() < (soft.label != 255).sum()


def test_a_fusion_without_the_joint_scale(monkeypatch, batch, paper):
    seen = one_step(monkeypatch, batch, ablation={"uncalibrated": True})
    assert same_views_and_labels(seen, paper) and torch.equal(seen.attention, paper.attention)
    probs = (seen.decoder.softmax(dim=1) + seen.attention.softmax(dim=1)) / 2
    torch.testing.assert_close(seen.target, sharpen(probs, 0.5))
    assert not torch.allclose(seen.target, paper.target)


def options_of(words: tuple[str, ...]) -> dict[str, Any]:
    """`method.ablation.key=value` as arguments."""
    nested: dict[str, Any] = {"ablation": {}}
    for word in words:
        key, _, value = word.removeprefix("method.").partition("=")
        owner = nested["ablation"] if key.startswith("ablation.") else nested
        owner[key.removeprefix("ablation.")] = value
    return nested


def test_the_decoder_alone(monkeypatch, batch, paper):
    """Nothing but the decoder's softmax makes the target, and no classifier shapes the features."""
    seen = one_step(monkeypatch, batch, **options_of(DECODER_ONLY))
    assert same_views_and_labels(seen, paper)
    torch.testing.assert_close(seen.target, sharpen(seen.decoder.softmax(dim=1), 0.5))
    assert seen.report.losses["class"] == 0 and paper.report.losses["class"] > 0


def test_without_the_classifiers_loss_the_classifier_does_not_learn(batch):
    moved = []
    for weight in (0, 1):
        method = some_method(ablation={"classifier_weight": weight})
        seen = []

        def minimize(loss, over, method=method, seen=seen):
            seen.extend(torch.autograd.grad(loss, [*method.classifier.parameters()]))
            return True

        method.step(batch, minimize, MID_TRAINING)
        moved.append(any(gradient.any() for gradient in seen))
    assert moved == [False, True]


def test_the_attention_alone(monkeypatch, batch, paper):
    seen = one_step(monkeypatch, batch, decoder_share=0, ablation={"uncalibrated": True})
    assert same_views_and_labels(seen, paper)
    torch.testing.assert_close(seen.target, sharpen(seen.attention.softmax(dim=1), 0.5))
    assert torch.equal(seen.report.losses["class"], paper.report.losses["class"])


def test_the_hypercolumn_of_the_last_stage(monkeypatch, batch, paper):
    joined = []
    forward = pseudoseg.AttentionPropagation.forward

    def watched(self, maps, features, valid=None):
        joined.append([x.shape[1] for x in features])
        return forward(self, maps, features, valid)

    monkeypatch.setattr(pseudoseg.AttentionPropagation, "forward", watched)
    seen = one_step(monkeypatch, batch, ablation={"last_stage_only": True})
    *_, inner, last = seen.method.student.decoder.stages.channels
    assert joined == [[last]] * 2 and seen.method.attention.key.in_channels == last
    assert same_views_and_labels(seen, paper)
    assert paper.method.attention.key.in_channels == last + inner


def test_jitter_and_labels_of_crops_are_asked_of_the_loader():
    assert some_method().views == (("pseudoseg",), 1, False)
    assert some_method(ablation={"jitter": 0.5}).views.amount == 0.5
    assert some_method(ablation={"crop_labels": True}).views.crop_labels
    with pytest.raises(ValueError, match="less than or equal to 2"):
        some_method(ablation={"jitter": 3})
