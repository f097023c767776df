"""GTA-Seg: golden numbers are from the official functions and from hand-written floats."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fewmask.batch import Batch, Labeled, Progress, Unlabeled
from fewmask.config import validate
from fewmask.errors import UserError
from fewmask.methods.ablations.gta import Ablation
from fewmask.methods.gta import GTA, gentle_loss, gentle_weights
from fewmask.models import Output
from fewmask.parts.pseudo_labels import PseudoLabel, pseudo_label
from fewmask.parts.teacher import ramped_decay

WARMUP = Progress(step=0, total_steps=100, steps_per_epoch=10)
FIRST = WARMUP._replace(step=10)
LATER = WARMUP._replace(step=12)

TEACHER = [[2, 0, 0], [0, 1, 0], [0.5, 0, 3], [1, 0.8, 0], [0, 0, 0.2], [4, 1, 0]]
ASSISTANT = [[1, 0, -1], [0.2, 0.4, 0.1], [0, 0.5, 1.5], [0.3, 0.3, 0], [0, 1, 0], [2, 0, 1]]


def as_image(pixels) -> torch.Tensor:
    """Logits of six pixels as [1, K, 2, 3]."""
    return torch.tensor(pixels, dtype=torch.float32).T.reshape(1, 3, 2, 3)


def loss_of(teacher, target, keep_percent, assistant=None) -> torch.Tensor:
    pseudo = PseudoLabel(target, pseudo_label(teacher).confidence)
    assistant = as_image(ASSISTANT) if assistant is None else assistant
    kept, weight, _ = gentle_weights(pseudo, keep_percent, Ablation())
    return gentle_loss(assistant, kept, weight)


A = torch.tensor([[[0, 1, 2], [0, 255, 0]]])
B = torch.tensor([[[0, 1, 2], [0, 2, 0]]])


@pytest.mark.parametrize(
    ("target", "percent", "cut", "expected"),
    [
        (A, 80, 0.552359, 0.405097),
        (A, 50, 0.786986, 0.202937),
        (B, 80, 0.457329, 0.421823),
    ],
)
def test_reweighted_loss(target, percent, cut, expected):
    pseudo = PseudoLabel(target, pseudo_label(as_image(TEACHER)).confidence)
    found = gentle_weights(pseudo, percent, Ablation())[2].item()
    assert found == pytest.approx(cut, abs=1e-6)
    assert loss_of(as_image(TEACHER), target, percent).item() == pytest.approx(expected, abs=1e-6)


def test_a_hundred_percent_is_every_pixel():
    """The released code drops the least confident one: 0.405097 for these pixels."""
    pseudo = PseudoLabel(A, pseudo_label(as_image(TEACHER)).confidence)
    kept, weight, cut = gentle_weights(pseudo, 100, Ablation())
    assert torch.equal(kept, A) and cut.item() == pytest.approx(0.457329, abs=1e-6)
    torch.testing.assert_close(weight, 1 + pseudo.confidence)
    loss = F.cross_entropy(as_image(ASSISTANT), A, ignore_index=255, reduction="none")
    expected = (loss * weight).sum() / weight.sum()
    torch.testing.assert_close(loss_of(as_image(TEACHER), A, 100), expected)
    same = as_image([[1, 0, 0]] * 6)
    assert loss_of(same, torch.zeros_like(A), 100) > 0


@pytest.mark.parametrize("percent", [101, -1])
def test_no_other_percentage_is_accepted(percent):
    with pytest.raises(UserError, match="method.keep_percent"):
        validate(GTA.Config, {"name": "gta", "keep_percent": percent}, "method")


def test_gradient_of_the_reweighted_loss():
    assistant = as_image(ASSISTANT).requires_grad_()
    loss_of(as_image(TEACHER), A, 80, assistant).backward()
    expected = [[-0.062561, 0.045736, 0.016825], [0.052725, -0.100433, 0.047708]]
    found = assistant.grad[0].flatten(1).T
    torch.testing.assert_close(found[:2], torch.tensor(expected), atol=1e-6, rtol=0)
    assert found[4].tolist() == [0, 0, 0]


def test_equal_confidences_and_empty_targets_give_zero():
    same = as_image([[1, 0, 0]] * 6)
    assert loss_of(same, torch.zeros_like(A), 80) == 0
    sure = as_image([[1, 0, 0]] + [[30, 0, 0]] * 5)
    assert loss_of(sure, torch.zeros_like(A), 80) == 0
    assert loss_of(sure, torch.full_like(A, 255), 80) == 0


def test_two_images_share_one_percentile():
    teacher = torch.tensor(
        [
            [[[2.0, 1], [0, -1]], [[0, 0], [1, 1]]],
            [[[3, 0.5], [0.1, -2]], [[0, 0], [0, 0]]],
        ]
    )
    assistant = torch.tensor(
        [
            [[[1.0, 0], [0, 0]], [[0, 0.5], [1, 2]]],
            [[[1, 1], [0.2, -1]], [[0, 2], [0, 0]]],
        ]
    )
    pseudo = pseudo_label(teacher)
    cut = gentle_weights(pseudo, 80, Ablation())[2].item()
    assert cut == pytest.approx(0.665899, abs=1e-6)
    assert loss_of(teacher, pseudo.label, 80, assistant).item() == pytest.approx(0.326046, abs=1e-6)


@pytest.mark.parametrize(
    ("updates", "decay", "expected"),
    [(0, 0.999, 0), (1, 0.999, 0.5), (2, 0.999, 0.666667), (98, 0.999, 0.989899)]
    + [(998, 0.999, 0.998999), (999, 0.999, 0.999), (5000, 0.999, 0.999), (99, 0.99, 0.99)],
)
def test_ramp_of_the_averages(updates, decay, expected):
    assert ramped_decay(updates, decay) == pytest.approx(expected, abs=1e-6)


class Scalar(nn.Module):
    """A network of three numbers: logits_k(x) = c_k e x."""

    def __init__(self, e: float, c: float):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.e = nn.Parameter(torch.tensor(e))
        self.head = nn.Module()
        self.head.c = nn.Parameter(torch.tensor([c, -c]))
        self.aux_head = None

    def forward(self, x: torch.Tensor) -> Output:
        logits = self.head.c.view(1, 2, 1, 1) * self.encoder.e * x[:, :1]
        return Output(logits, logits, None)


class Momentum:
    """SGD with momentum 0.9; lr 0.1 for the encoder and 1 for the head. Remembers losses."""

    def __init__(self):
        self.speed: dict[int, torch.Tensor] = {}
        self.losses: list[float] = []

    def __call__(self, loss, over) -> bool:
        self.losses.append(loss.item())
        parameters = [over.encoder.e, over.head.c]
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, gradient, lr in zip(parameters, gradients, (0.1, 1.0), strict=True):
                speed = self.speed[id(p)] = 0.9 * self.speed.get(id(p), 0) + gradient
                p -= lr * speed
        return True


def row(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(1, 1, 1, 5).expand(1, 3, 1, 5)


SCALARS = Batch(
    Labeled(row(1, -2, 0.5, -0.1, 0.4), torch.tensor([[[0, 1, 1, 255, 0]]])),
    Unlabeled(
        row(0.5, -1, 2, 0.1, -0.3), (), torch.ones(1, 1, 5, dtype=torch.bool), torch.tensor([0])
    ),
)


def scalar_method(monkeypatch, **options) -> GTA:
    monkeypatch.setattr("fewmask.methods.gta.require_partners", lambda images: None)
    config = GTA.Config(name="gta", cutmix_probability=0, **options)
    return GTA(lambda: Scalar(1.0, 1.0), config)


def numbers(network) -> list[float]:
    return [network.encoder.e.item(), network.head.c[0].item()]


def test_whole_iterations_on_scalar_networks(monkeypatch):
    gta, minimize = scalar_method(monkeypatch), Momentum()
    with torch.no_grad():
        for network, e, c in ((gta.assistant, 0.8, 0.5), (gta.teacher.network, 1.0, 2.0)):
            network.encoder.e.fill_(e)
            network.head.c.copy_(torch.tensor([c, -c]))
    expected = [
        (0.358530, 0.455702, (0.821982, 0.675857), (0.952379, 0.985111), (0.988095, 1.746278)),
        (0.297311, 0.454795, (0.864413, 0.971843), (0.929901, 0.961840), (0.976456, 1.589390)),
    ]
    for n, (loss_u, loss_s, assistant, student, teacher) in enumerate(expected, start=3):
        gta.step(SCALARS, minimize, FIRST._replace(step=10 + n))
        assert minimize.losses[-2:] == pytest.approx([loss_u, loss_s], abs=1e-5)
        assert numbers(gta.assistant) == pytest.approx(assistant, abs=1e-5)
        assert numbers(gta.student) == pytest.approx(student, abs=1e-5)
        assert numbers(gta.teacher.network) == pytest.approx(teacher, abs=1e-5)


def test_hand_over_copies_the_student_once(monkeypatch):
    gta, minimize = scalar_method(monkeypatch), Momentum()
    with torch.no_grad():
        gta.assistant.encoder.e.fill_(0.8)
    expected = [
        (0.186531, 0.458134, (1.012317, 0.975831), (1.012317, 0.975831), (1.017069, 1.085346)),
        (0.169875, 0.457606, (1.021870, 0.931092), (1.017093, 0.953462), (1.048685, 1.238314)),
        (0.143750, 0.456298, (1.034104, 0.871981), (1.022764, 0.926301), (1.091950, 1.438694)),
    ]
    for n, (loss_u, loss_s, student, teacher, assistant) in enumerate(expected):
        gta.step(SCALARS, minimize, FIRST._replace(step=10 + n))
        assert minimize.losses[-2:] == pytest.approx([loss_u, loss_s], abs=1e-5)
        assert numbers(gta.student) == pytest.approx(student, abs=1e-5)
        assert numbers(gta.teacher.network) == pytest.approx(teacher, abs=1e-5)
        assert numbers(gta.assistant) == pytest.approx(assistant, abs=1e-5)


def method(student, **options) -> GTA:
    return GTA(lambda: student, GTA.Config(name="gta", **options))


def test_the_warm_up_can_be_counted_in_steps(student, batch, minimize):
    gta = method(student, warmup_steps=3)
    late = [gta.step(batch, minimize, WARMUP._replace(step=step)).used_pixels for step in (2, 3)]
    assert late[0] is None and late[1] is not None


def test_no_two_networks_share_storage(student, batch, minimize):
    gta = method(student)
    for progress in (WARMUP, FIRST, LATER):
        gta.step(batch, minimize, progress)
        places = [
            {x.untyped_storage().data_ptr() for x in network.state_dict().values()}
            for network in (gta.student, gta.assistant, gta.teacher)
        ]
        assert not places[0] & places[1] and not places[0] & places[2]
        assert not places[1] & places[2]


def test_each_network_learns_from_its_own_loss(student, batch):
    """The assistant never sees labels, the student's predictor never pseudo-labels."""
    gta = method(student)
    gta.step(batch, lambda loss, over: True, FIRST)
    calls = []

    def spy(loss, over) -> bool:
        others = [gta.student, gta.assistant, gta.teacher.network]
        for network in others:
            parameters = [p for p in network.parameters() if p.requires_grad]
            if parameters:
                found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
                assert any(g is not None for g in found) == (network is over)
        calls.append(over)
        return True

    scalars = gta.step(batch, spy, LATER).by_name()
    assert calls == [gta.assistant, gta.student]
    assert scalars.keys() >= {"loss_labeled", "loss_assistant", "used_pixels"}


def test_features_flow_from_the_assistant_and_the_mask_predictor_does_not(student, batch):
    gta = method(student, feature_decay=0.5)
    gta.step(batch, lambda loss, over: True, FIRST)
    with torch.no_grad():
        for p in gta.assistant.parameters():
            p.add_(1.0)
    before = {name: p.clone() for name, p in gta.student.named_parameters()}
    gta.step(batch, lambda loss, over: True, LATER)
    for name, p in gta.student.named_parameters():
        moved = 0.0 if name.startswith("head.") else 0.5
        torch.testing.assert_close(p, before[name] + moved, atol=1e-5, rtol=1e-5)


def test_the_mask_predictor_can_be_chosen(student):
    everything = len(list(student.parameters()))
    assert len(method(student, mask_predictor=()).flowing) == everything
    kept = len(list(student.head.parameters())) + len(list(student.decoder.parameters()))
    assert len(method(student, mask_predictor=("head", "decoder")).flowing) == everything - kept
    with pytest.raises(UserError, match="names 'haed', but the network's parts are: encoder"):
        method(student, mask_predictor=("haed",))


def test_nothing_flows_if_all_parts_are_the_mask_predictor(student, batch, minimize):
    gta = method(student, mask_predictor=("encoder", "decoder", "head"))
    assert gta.flowing == []
    gta.step(batch, minimize, FIRST)
    pairs = zip(gta.student.parameters(), gta.assistant.parameters(), strict=True)
    assert not all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_loss_does_not_change_with_a_constant_added_to_logits():
    shifted = as_image(ASSISTANT) + 3.0
    torch.testing.assert_close(
        loss_of(as_image(TEACHER), A, 80, shifted), loss_of(as_image(TEACHER), A, 80)
    )


def test_one_unlabeled_image_is_refused(student, batch, minimize):
    single = batch._replace(unlabeled=batch.unlabeled._replace(weak=batch.unlabeled.weak[:1]))
    with pytest.raises(UserError, match="loader.unlabeled_batch=1"):
        method(student).step(single, minimize, WARMUP)
