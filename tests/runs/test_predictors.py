"""Networks are loaded by name, with everything that prediction needs."""

import pytest
import torch

import fewmask
from fewmask.errors import UserError
from fewmask.run_folder import checkpoint
from fewmask.runs.predictors import best_predictor, predictor_of
from tests.conftest import TINY_WORDS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    words = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=2", "data.size=40")
    return fewmask.train(*words, out=tmp_path_factory.mktemp("predictors") / "run")


def test_a_best_file_brings_classes_and_inference(run):
    predictor = best_predictor(run.paths.best, "cpu")
    assert predictor.classes.names == run.data.classes.names and predictor.channels == 3
    assert predictor.config == run.recipe.evaluation and predictor.device == "cpu"
    assert not predictor.network.training


def test_networks_of_the_last_checkpoint_differ(run):
    student, teacher = (
        predictor_of(run.paths, run.recipe, name, "cpu").network for name in ("student", "teacher")
    )
    pairs = zip(student.parameters(), teacher.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_unknown_networks_and_files_of_another_kind_are_named(run, tmp_path):
    with pytest.raises(UserError, match="no network 'studnt'.*Did you mean 'student'"):
        predictor_of(run.paths, run.recipe, "studnt", "cpu")
    with pytest.raises(UserError, match="lacks 'weights'.*other one"):
        best_predictor(run.paths.last, "cpu")
    with pytest.raises(UserError, match="machine.accelerator='tpu'"):
        best_predictor(run.paths.best, "tpu")


def test_a_file_cannot_name_other_weights_to_load(run, tmp_path):
    content = checkpoint.load(run.paths.best)
    content["model"]["pretrained"] = str(tmp_path / "elsewhere.pth")
    checkpoint.save(content, tmp_path / "best.pt")
    assert best_predictor(tmp_path / "best.pt", "cpu").network.num_classes == 7


def test_a_network_keeps_the_range_it_was_trained_on_when_the_data_is_other(run):
    data = run.recipe.data.model_copy(update={"range": "auto"})
    changed = run.recipe.model_copy(update={"data": data})
    assert predictor_of(run.paths, changed, "student", "cpu").value_range is None
