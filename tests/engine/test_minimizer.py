"""minimize(loss, over=network): where gradients go, and what a step does to the weights."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from fewmask.engine.minimizer import Minimizer
from fewmask.engine.settings import TrainingConfig
from fewmask.methods.gta import GTA
from fewmask.methods.imas import IMAS
from fewmask.methods.pseudoseg import PseudoSeg
from fewmask.methods.supervised import Supervised


def minimizer_of(student, **options) -> tuple[IMAS, Minimizer]:
    method = IMAS(lambda: student, IMAS.Config(name="imas"))
    training = TrainingConfig(
        steps=10,
        optimizer="sgd",
        momentum=0,
        weight_decay=0,
        lr=0.1,
        head_lr_factor=1,
        schedule="constant",
        **options,
    )
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    return method, Minimizer(fabric, method, training)


def test_parameter_names_stay_clean_and_gradients_go_to_one_network(student):
    names = list(IMAS(lambda: student, IMAS.Config(name="imas")).state_dict())
    method, minimize = minimizer_of(student)
    assert list(method.state_dict()) == names
    loss = sum((p**2).sum() for p in method.parameters())
    method.teacher.requires_grad_(True)
    assert minimize(sum((p**2).sum() for p in method.parameters()), over=method.student)
    assert all(p.grad is None for p in method.teacher.parameters())
    with pytest.raises(AssertionError, match="trains"):
        minimize(loss, over=method.teacher)


def test_accumulated_gradients_equal_one_large_step(student):
    weight = next(student.parameters())
    start = weight.detach().clone()
    method, minimize = minimizer_of(student, accumulate=2)
    minimize.begin(0)
    minimize.last_round = False
    assert not minimize((weight * 1.0).sum(), over=method.student)
    assert torch.equal(weight, start)
    minimize.last_round = True
    assert minimize((weight * 3.0).sum(), over=method.student)
    torch.testing.assert_close(weight, start - 0.1 * 2.0)


def test_gradients_are_clipped(student):
    weight = next(student.parameters())
    start = weight.detach().clone()
    method, minimize = minimizer_of(student, clip_norm=0.5)
    minimize.begin(0)
    minimize((weight * 100).sum(), over=method.student)
    assert (weight - start).norm().item() == pytest.approx(0.1 * 0.5, rel=1e-4)


def test_networks_stay_the_modules_that_the_method_made(student):
    method, minimize = minimizer_of(student)
    assert method.student is student and type(student).__name__ == "Segmenter"


def test_modules_trained_together_share_an_optimizer_and_a_step(student):
    method = PseudoSeg(lambda: student, PseudoSeg.Config(name="pseudoseg"))
    training = TrainingConfig(steps=10, lr=0.1, head_lr_factor=10, momentum=0, weight_decay=0)
    minimize = Minimizer(Fabric(accelerator="cpu", devices=1), method, training)
    minimize.begin(0)
    assert list(minimize.optimizers) == ["student"]
    weights = [next(student.encoder.parameters()), *method.classifier.parameters()]
    before = [weight.detach().clone() for weight in weights]
    for over in (student, method.classifier):  # either names the whole group
        assert minimize(sum(weight.sum() for weight in weights), over=over)
    for weight, start, rate in zip(weights, before, (0.1, 1.0, 1.0), strict=True):
        torch.testing.assert_close(weight, start - 2 * rate)


class Tied(Supervised):
    """Two modules that share their weights, trained by one optimizer."""

    trains = (("student", "twin"),)

    def __init__(self, create_network, config):
        super().__init__(create_network, config)
        self.twin = nn.ModuleList([self.student.head])


def test_parameters_that_modules_share_are_trained_once(student, recwarn):
    method = Tied(lambda: student, Supervised.Config(name="tied"))
    training = TrainingConfig(steps=10, lr=0.1, head_lr_factor=1, momentum=0, weight_decay=0)
    minimize = Minimizer(Fabric(accelerator="cpu", devices=1), method, training)
    assert not [w for w in recwarn if "duplicate parameters" in str(w.message)]
    groups = minimize.optimizers["student"].param_groups
    assert sum(len(group["params"]) for group in groups) == len([*student.parameters()])
    assert len(minimize.trained["student"].parameters) == len([*student.parameters()])


def test_a_wrong_network_is_answered_with_all_names(student):
    method = Tied(lambda: student, Supervised.Config(name="tied"))
    minimize = Minimizer(Fabric(accelerator="cpu", devices=1), method, TrainingConfig(steps=10))
    with pytest.raises(AssertionError, match=r"\['student', 'twin'\]"):
        minimize(next(student.parameters()).sum(), over=student.encoder)


def test_a_constant_rate_does_not_follow_the_schedule(student):
    method = GTA(lambda: student, GTA.Config(name="gta", ablation={"as_released": True}))
    training = TrainingConfig(steps=10, lr=0.1, head_lr_factor=1)
    minimize = Minimizer(Fabric(accelerator="cpu", devices=1), method, training)
    minimize.begin(5)
    rates = {name: o.param_groups[0]["lr"] for name, o in minimize.optimizers.items()}
    assert rates == {"student": pytest.approx(0.1 * 0.5**0.9), "assistant": 0.1}
    plain = GTA(lambda: student, GTA.Config(name="gta"))
    assert plain.constant_rates == ()
