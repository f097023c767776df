"""A run starts from the weights of another, with its head or with a new one."""

import pytest
import torch

import fewmask
from fewmask.errors import UserError
from fewmask.run_folder import checkpoint
from fewmask.runs.build import build_method
from fewmask.runs.initial_weights import InitialWeights
from tests.conftest import TINY_WORDS
from tests.program import TINY_PHOTOS

WORDS = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=2")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fewmask.train(*WORDS, out=tmp_path_factory.mktemp("initial") / "run")


def test_all_networks_or_one_for_all(run):
    trained = torch.load(run.paths.last, weights_only=True)["method"]
    method = build_method(run.recipe, 7, pretrained=False)
    InitialWeights.at(run.paths.last).fill(method)
    assert all(torch.equal(value, trained[key]) for key, value in method.state_dict().items())
    InitialWeights.at(run.folder).fill(method)  # its best.pt
    student, teacher = (network.state_dict() for network in method.predictors().values())
    assert all(torch.equal(student[key], teacher[key]) for key in student)


def test_a_new_head_leaves_everything_else_as_it_was(run):
    method = build_method(run.recipe, 3, pretrained=False)
    with pytest.raises(UserError, match="do not fit this network"):
        InitialWeights.at(run.paths.best).fill(method)
    before = {key: value.clone() for key, value in method.student.state_dict().items()}
    InitialWeights.at(run.paths.best, new_head=True).fill(method)
    old = checkpoint.load(run.paths.best)["weights"]
    for key, value in method.student.state_dict().items():
        is_head = key.startswith("head.")
        assert torch.equal(value, before[key] if is_head else old[key]), key
    assert torch.equal(method.student.head[-1].weight, before["head.2.weight"])


def test_other_classes_are_told(run):
    names = run.data.classes.names
    weights = InitialWeights.at(run.paths.last)
    assert weights.in_words(names) == f"All networks start from the weights in {run.paths.last}."
    with pytest.raises(UserError, match=r"7 classes \(.*\), the data 2 \(a, b\).*--new-head"):
        weights.in_words(["a", "b"])
    assert "For a new head: --new-head" in weights.in_words([*"abcdefg"])
    assert "a new head for 2 classes" in InitialWeights.at(run.folder, True).in_words(["a", "b"])


def test_a_new_head_needs_one_network(run, tmp_path):
    with pytest.raises(UserError, match=r"--new-head needs one network.*best.pt"):
        InitialWeights.at(run.paths.last, new_head=True)
    with pytest.raises(UserError, match="There is no checkpoint"):
        InitialWeights.at(tmp_path / "missing.pt")


def test_the_encoder_is_that_of_the_weights(run, tmp_path):
    for file in (run.paths.best, run.paths.last):
        assert InitialWeights.at(file).encoder() == run.recipe.model.encoder
    (tmp_path / "last.pt").write_bytes(run.paths.last.read_bytes())
    with pytest.raises(UserError, match="does not name its encoder"):
        InitialWeights.at(tmp_path / "last.pt").encoder()


def test_training_on_other_classes_starts_from_a_run(run, tmp_path, photos):
    words = (f"data={photos}", "method=supervised", *TINY_PHOTOS, "training.steps=1")
    words += ("model.decoder.low_level_channels=4",)
    with pytest.raises(UserError, match="--new-head"):
        fewmask.train(*words, out=tmp_path / "no", weights=run.folder)
    assert not (tmp_path / "no").exists()
    new = fewmask.train(*words, out=tmp_path / "new", weights=run.folder, new_head=True)
    assert new.is_finished and len(new.data.classes.names) == 2
