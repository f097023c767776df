"""The Python functions do what the commands do."""

import numpy as np
import pytest
from PIL import Image

import fewmask
from fewmask import api
from tests.conftest import TINY_WORDS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    words = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=2")
    return fewmask.train(*words, out=str(tmp_path_factory.mktemp("api") / "run"))


def test_train_gives_a_run_with_scores(run):
    assert run.is_finished and run.scores["teacher"].best >= run.scores["teacher"].miou


def test_evaluate_takes_options(run):
    classes, scores = fewmask.evaluate(str(run.folder), "evaluation.flip=true", weights="student")
    assert len(scores.iou) == len(classes) == 7


def test_load_and_predict(run, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    for i in range(3):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    mask = fewmask.load(str(run.folder), "student", "cpu").predict(image).mask
    words = (str(run.folder), [tmp_path / "0.png", tmp_path / "1.png"], tmp_path / "out")
    done = fewmask.predict(*words, weights="student", accelerator="cpu")
    assert done.names == ["0", "1"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/masks/0.png")), mask)


def test_export_gives_the_file(run, tmp_path):
    words = (str(run.folder), "safetensors")
    file = fewmask.export(*words, out=str(tmp_path / "x.safetensors"), tell=lambda line: None)
    assert file == tmp_path / "x.safetensors" and file.is_file()
    assert fewmask.load(file, accelerator="cpu").classes.names == run.data.classes.names


def test_resume_goes_on(run):
    assert fewmask.resume(str(run.folder), "training.steps=3").result.steps == 3


def test_mistakes_are_user_errors(tmp_path):
    for call in (
        lambda: api.train("synthetic", "training.stepz=1"),
        lambda: api.resume(tmp_path),
        lambda: api.evaluate(tmp_path),
        lambda: api.load(tmp_path),
        lambda: api.export(tmp_path),
        lambda: api.predict(tmp_path, tmp_path, tmp_path / "out"),
    ):
        with pytest.raises(fewmask.UserError):
            call()
