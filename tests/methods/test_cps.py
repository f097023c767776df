"""CPS: golden numbers are from the released lines, run on a CPU; whole steps in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Labeled, Progress, Unlabeled
from fewmask.errors import UserError
from fewmask.methods import cps
from fewmask.methods.cps import CPS
from fewmask.models import Segmenter
from fewmask.parts.boxes import toggled_boxes
from fewmask.parts.losses import cross_entropy
from fewmask.parts.mixing import cutmix, mirrored_partners
from fewmask.parts.pseudo_labels import pseudo_label
from tests.conftest import FakeMinimize, reborn
from tests.methods import golden
from tests.methods.golden import exact  # noqa: F401
from tests.methods.test_fixmatch import BOXES, IMAGES, LABELED, MASK, STRONG, WEAK
from tests.methods.test_imas import logits

# What the two networks say of two clean images (W and X) and of their mixture.
MIXED_1 = STRONG
MIXED_2 = logits([[[0, 0], [2, 1]], [[0, 1], [1, 2]]], [[[1, 1], [1, 2]], [[2, 1], [2, 1]]], 3)
LATE = Progress(step=9, total_steps=1000, steps_per_epoch=10)


def mixed_labels(clean: Tensor) -> Tensor:
    return cutmix(IMAGES, pseudo_label(clean), mirrored_partners(IMAGES), BOXES)[1].label


def test_labels_of_two_clean_images_are_mixed_like_the_images():
    assert mixed_labels(WEAK).tolist() == [[[0, 0], [2, 2]]] * 2
    assert mixed_labels(LABELED).tolist() == [[[0, 0], [1, 2]]] * 2


def test_cross_supervision_of_a_mixture_and_its_gradient():
    first, second = MIXED_1.clone().requires_grad_(), MIXED_2.clone().requires_grad_()
    by_first = cross_entropy(first, mixed_labels(LABELED))
    by_second = cross_entropy(second, mixed_labels(WEAK))
    assert by_first.item() == pytest.approx(0.941336, abs=1e-6)
    assert by_second.item() == pytest.approx(1.059482, abs=1e-6)
    loss = 1.5 * (by_first + by_second)
    assert loss.item() == pytest.approx(3.001227, abs=1e-6)
    loss.backward()
    expected = [
        [-0.079478, -0.167530, 0.051388, 0.039739],
        [0.039739, 0.147560, -0.136112, 0.039739],
        [0.039739, 0.019970, 0.084724, -0.079478],
    ]
    torch.testing.assert_close(first.grad[0].flatten(1), torch.tensor(expected), atol=1e-6, rtol=0)
    expected = [
        [-0.079478, -0.079478, 0.039739, 0.019970],
        [0.039739, 0.039739, 0.039739, 0.147560],
        [0.039739, 0.039739, -0.079478, -0.167530],
    ]
    torch.testing.assert_close(second.grad[0].flatten(1), torch.tensor(expected), atol=1e-6, rtol=0)


def test_cross_supervision_of_images_as_they_are():
    first, second = torch.cat([LABELED, WEAK]), torch.cat([MIXED_1, MIXED_2])
    crossed = cross_entropy(first, pseudo_label(second).label)
    crossed = 1.5 * (crossed + cross_entropy(second, pseudo_label(first).label))
    labeled = cross_entropy(LABELED, MASK), cross_entropy(MIXED_1, MASK)
    assert crossed.item() == pytest.approx(3.486513, abs=1e-6)
    assert [x.item() for x in labeled] == pytest.approx([1.111399, 0.639892], abs=1e-6)
    assert (crossed + sum(labeled)).item() == pytest.approx(5.237804, abs=1e-6)


def made(student: Segmenter, **options) -> CPS:
    networks = iter([student, reborn(student)])
    return CPS(lambda: next(networks), CPS.Config(name="cps", **options))


def seeded_batch() -> Batch:
    """Three unlabeled images, so that the middle one gets itself; padding in both halves."""
    torch.manual_seed(1)
    mask, valid = torch.randint(0, 3, (2, 33, 33)), torch.ones(3, 33, 33, dtype=torch.bool)
    mask[0, 30:], mask[1, 3:9, 5:] = IGNORE, IGNORE
    valid[1, :, 28:], valid[2, 25:] = False, False
    labeled_valid = torch.ones(2, 33, 33, dtype=torch.bool)
    labeled_valid[0, 30:] = False
    labeled = Labeled(torch.randn(2, 3, 33, 33), mask)
    unlabeled = Unlabeled(torch.randn(3, 3, 33, 33), (), valid, torch.arange(3))
    return Batch(labeled, unlabeled, labeled_valid)


# A plain transcription of the paper's equations, with torch's own functions only.


def look(network: Segmenter, images: Tensor, valid: Tensor, of_batch: bool) -> Tensor:
    with torch.no_grad():
        network.train(of_batch)
        label = golden.full_size(network(images).logits).argmax(1)
        network.train()
    label[~valid] = IGNORE
    return label


def transcribed(
    networks: tuple[Segmenter, Segmenter], batch: Batch, options: dict
) -> tuple[float, float]:
    (x_l, y_l), (x, _, valid, *_), valid_l = batch
    if options["cutmix"]:
        boxes = toggled_boxes(3, 33, 33)
    else:
        x, valid = torch.cat([x_l, x]), torch.cat([valid_l, valid])
    targets = [look(f, x, valid, options["teacher_batch_statistics"]) for f in networks]
    images = x
    if options["cutmix"]:
        mixed, clean = x.clone(), [y.clone() for y in targets]
        for i, box in enumerate(boxes):
            mixed[i][:, box] = x[2 - i][:, box]
            for ours, theirs in zip(targets, clean, strict=True):
                ours[i][box] = theirs[2 - i][box]
        images = torch.cat([x_l, mixed])
    outputs = [f(images).logits for f in networks]
    loss_s = sum(golden.mean_cross_entropy(z[:2], y_l) for z in outputs)
    first = len(images) - len(targets[0])
    loss_cps = sum(
        F.cross_entropy(golden.full_size(z[first:]), y, ignore_index=IGNORE)
        for z, y in zip(outputs, reversed(targets), strict=True)
    )
    golden.descend(loss_s + options["unlabeled_weight"] * loss_cps, *networks)
    return loss_s.item(), loss_cps.item()


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("of_batch", [False, True])
@pytest.mark.parametrize("is_mixed", [True, False])
def test_steps_are_those_of_the_paper(is_mixed, of_batch):
    """Two minimizations of one network each are one of the whole loss over both."""
    student, batch = golden.network(aux_head=False), seeded_batch()
    options = {"cutmix": is_mixed, "teacher_batch_statistics": of_batch, "unlabeled_weight": 1.5}
    method = made(student, **options)
    ours = golden.twin(method.student), golden.twin(method.second)
    for number in range(3):
        torch.manual_seed(number)
        report = method.step(batch, FakeMinimize(golden.LR), LATE)
        torch.manual_seed(number)
        loss_s, loss_cps = transcribed(ours, batch, options)
        assert report.losses["labeled"].item() == pytest.approx(loss_s, rel=1e-9)
        assert report.losses["cps"].item() == pytest.approx(loss_cps, rel=1e-9)
    golden.assert_equal(method.student, ours[0])
    golden.assert_equal(method.second, ours[1])


# What the contract does not say.


def differ(method: CPS) -> bool:
    pairs = zip(method.student.parameters(), method.second.parameters(), strict=True)
    return any(not torch.equal(a, b) for a, b in pairs)


def test_the_networks_differ_also_if_a_run_starts_from_one_networks_weights(student):
    method, weights = made(student), golden.twin(student).state_dict()
    assert differ(method)
    for network in method.predictors().values():
        network.load_state_dict(weights)
    assert differ(method)


def test_each_network_is_minimized_once_in_turn(student, batch, minimize):
    method = made(student, unlabeled_weight=2)
    losses = method.step(batch, minimize, LATE).losses
    assert [over for _, over in minimize.calls] == [method.student, method.second]
    total = sum(loss for loss, _ in minimize.calls)
    assert total == pytest.approx((losses["labeled"] + 2 * losses["cps"]).item())


@pytest.mark.parametrize("is_mixed", [True, False])
def test_padding_never_becomes_a_target(student, monkeypatch, is_mixed):
    targets, batch = [], seeded_batch()

    def watched(logits, label, **more):
        targets.append(label)
        return cross_entropy(logits, label, **more)

    monkeypatch.setattr(cps, "cross_entropy", watched)
    nowhere = torch.zeros(2, 33, 33, dtype=torch.bool)
    half = batch._replace(labeled_valid=nowhere)
    report = made(student, cutmix=is_mixed).step(half, FakeMinimize(), LATE)
    assert len(targets) == 2 and torch.equal(targets[0] == IGNORE, targets[1] == IGNORE)
    if is_mixed:
        assert report.used_pixels == (targets[0] != IGNORE).float().mean()
    else:
        valid = torch.cat([nowhere, batch.unlabeled.valid])
        assert torch.equal(targets[0] != IGNORE, valid)
        assert report.used_pixels == batch.unlabeled.valid.float().mean()


def test_agreement_is_the_share_of_equal_labels(student, batch, minimize):
    method = made(student, cutmix=False)
    weak, _, valid, *_ = batch.unlabeled
    method.second.load_state_dict(student.state_dict())
    assert method.step(batch, minimize, LATE).scalars["agreement"] == 1
    with torch.no_grad():
        for network, favored in ((method.student, 0), (method.second, 1)):
            network.head[-1].bias[favored] = 1e3
    assert method.step(batch, minimize, LATE).scalars["agreement"] == 0
    label, _ = method.pseudo_labels(weak, valid)  # of the second network
    assert (label[valid] == 1).all() and (label[~valid] == IGNORE).all()


def test_only_statistics_of_the_batch_move_when_a_network_labels(student, batch):
    weak, _, valid, *_ = batch.unlabeled
    for of_batch in (False, True):
        method = made(student, teacher_batch_statistics=of_batch)
        before = golden.twin(method.second).state_dict()
        method.pseudo_labels(weak, valid)
        after = method.second.state_dict()
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert bool(moved) == of_batch
        assert all("running" in name or "num_batches" in name for name in moved)
        assert method.second.training


def test_one_unlabeled_image_is_refused_only_where_it_needs_a_partner(student, batch, minimize):
    weak, strong, valid, index, _ = batch.unlabeled
    one = Unlabeled(weak[:1], (strong[0][:1],), valid[:1], index[:1])
    single = batch._replace(unlabeled=one)
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        made(student).step(single, minimize, LATE)
    made(student, cutmix=False).step(single, minimize, LATE)
