"""The contract of a method: what it refuses before training starts, and with which words."""

import pytest
import torch
from torch import nn

import fewmask
from fewmask.batch import StepReport
from fewmask.errors import UserError
from fewmask.methods.method import require_report
from fewmask.methods.supervised import Supervised
from fewmask.models import Output, create_model
from tests.conftest import TINY, TINY_WORDS

IMAGE = torch.zeros(1, 3, 33, 33)


class Inverted(nn.Module):
    """A predictor that is no Segmenter, and gives an Output."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image):
        output = self.network(image)
        return output._replace(logits=-output.logits)


class Bare(Inverted):
    """Gives logits alone."""

    def forward(self, image):
        return self.network(image).logits


class Chosen(Supervised):
    """Lets a test choose the predictors."""

    made = staticmethod(lambda method: {"student": method.student})

    def predictors(self):
        return self.made(self)


def made(predictors) -> Chosen:
    method = Chosen(lambda: create_model(TINY, 3), Supervised.Config(name="chosen"))
    method.made = lambda own: predictors(own)
    return method


def test_further_predictors_may_be_any_module_that_gives_an_output():
    method = made(lambda m: {"student": m.student, "inverted": Inverted(m.student)})
    before = {key: x.clone() for key, x in method.state_dict().items()}
    method.require_contract(IMAGE)
    assert all(torch.equal(before[key], x) for key, x in method.state_dict().items())
    assert all(module.training for module in method.student.modules())
    assert isinstance(method.predictors()["inverted"](IMAGE.expand(2, -1, -1, -1)), Output)


@pytest.mark.parametrize(
    ("predictors", "words"),
    [
        (lambda m: {"own": Inverted(m.student)}, r"\['own'\] is the first.*Inverted, not a Segm"),
        (lambda m: {"own": None}, r"\['own'\] is the first predictor.*NoneType, not a Segmenter"),
        (lambda m: {}, r"returned \{\}. Return a dictionary"),
        (lambda m: m.student, "Return a dictionary"),
        (
            lambda m: {"own": create_model(TINY.model_copy(update={"aux_head": True}), 3)},
            "differs in 'aux_head.0.0.weight'.*keep further modules as attributes",
        ),
        (lambda m: {"own": create_model(TINY, 4)}, "differs in 'head.2.bias'"),
        (
            lambda m: {"student": m.student, "bare": Bare(m.student)},
            r"\['bare'\] returned an object of type Tensor.*into an Output",
        ),
        (lambda m: {"student": m.student, "x": 3}, r"\['x'\] is an object of type int"),
    ],
)
def test_predictors_that_could_not_be_saved_or_scored_are_refused(predictors, words):
    with pytest.raises(UserError, match=words):
        made(predictors).require_contract(IMAGE)


class Grown(Supervised):
    """Gives the student a module that best.pt has no place for."""

    def __init__(self, create_network, config):
        super().__init__(create_network, config)
        self.student.projection = nn.Linear(2, 2)


class Broken(Inverted):
    """Cannot read an image."""

    def forward(self, image):
        raise RuntimeError("size mismatch")


class Nothing(Supervised):
    """Trains no network."""

    trains = ()


class Emptied(Supervised):
    """Has an optimizer without a network."""

    trains = ("student", ())


class Missing(Supervised):
    """Names a network that it does not have."""

    trains = ("student", "assistant")


class Talkative(Supervised):
    """Returns plain scalars, as methods did before there was a report."""

    def step(self, batch, minimize, progress):
        return {"loss": super().step(batch, minimize, progress).losses["labeled"]}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Grown", "differs in 'projection.bias'"),
        ("Missing", "Missing.trains names 'assistant', but the method has no network"),
        ("Nothing", r"Nothing.trains = \(\) leaves an optimizer without a network"),
        ("Emptied", r"Emptied.trains = \('student', \(\)\) leaves an optimizer without"),
        ("Talkative", r"Talkative.step\(\) returned an object of type dict.*StepReport"),
    ],
)
def test_a_run_stops_before_it_trains(tmp_path, kind, words):
    with pytest.raises(UserError, match=words):
        fewmask.train(
            "synthetic",
            *TINY_WORDS,
            f"method=tests.methods.test_method:{kind}",
            out=tmp_path / "run",
        )
    assert not (tmp_path / "run" / "weights" / "last.pt").exists()


def test_a_report_passes_and_nothing_is_refused(student):
    method = Supervised(lambda: student, Supervised.Config(name="supervised"))
    report = StepReport({"labeled": torch.zeros(())})
    assert require_report(report, method) is report
    with pytest.raises(UserError, match=r"Supervised.step\(\) returned None"):
        require_report(None, method)


class Twins(Supervised):
    """Two students, as in cross pseudo supervision."""

    trains = ("student", "other")

    def __init__(self, create_network, config):
        super().__init__(create_network, config)
        self.other = create_network()


def test_two_students_start_from_different_weights():
    config = Supervised.Config(name="twins")
    method = Twins(lambda: create_model(TINY, 3), config)
    method.require_contract(IMAGE)
    pairs = zip(method.student.parameters(), method.other.parameters(), strict=True)
    assert not any(torch.equal(a, b) for a, b in pairs if a.ndim == 4)


def test_networks_trained_together_are_named_by_tuples():
    assert Supervised.trained_together() == [("student",)]
    assert Twins.trained_together() == [("student",), ("other",)]


def test_a_predictor_that_fails_is_named_and_keeps_its_mode():
    method = made(lambda m: {"student": m.student, "broken": Broken(m.student)})
    with pytest.raises(UserError, match=r"\['broken'\] failed on .*RuntimeError: size mismatch"):
        method.require_contract(IMAGE)
    assert all(module.training for module in method.student.modules())


ONE = torch.ones(())


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (StepReport({"labeled": 0.5}), r"'loss_labeled' as an object of type float.*tensor"),
        (StepReport({}, used_pixels=0.5), "'used_pixels' as an object of type float"),
        (StepReport({"labeled": ONE.clone().requires_grad_()}), r"with gradient.*detach\(\)"),
        (StepReport({}, scalars={"lr": ONE}), "scalar 'lr', but another logged value"),
        (StepReport({}, scalars={"images_per_second": ONE}), "'images_per_second', but another"),
        (StepReport({"a": ONE}, scalars={"loss_a": ONE}), "'loss_a', but another"),
        (StepReport({}, easiness=ONE, scalars={"easiness": ONE}), "'easiness', but another"),
    ],
)
def test_a_report_that_could_not_be_logged_is_refused(student, report, words):
    method = Supervised(lambda: student, Supervised.Config(name="supervised"))
    with pytest.raises(UserError, match=rf"^Supervised.step\(\) reported .*{words}"):
        require_report(report, method)
