"""Both engines predict the same, from a run or from a file alone."""

import numpy as np
import pytest
from PIL import Image

from fewmask.errors import UserError
from fewmask.tasks import engines
from fewmask.tasks.engines import load_predictor
from fewmask.tasks.predict import predict


def say_nothing(line):
    """Drops messages."""


def photos(place):
    place.mkdir()
    rng = np.random.default_rng(0)
    for i, size in enumerate([(33, 70), (60, 60), (5, 9)]):
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(image).save(place / f"{i}.png")
    return place


def test_both_engines_write_the_same_masks(exported, export_folder, tmp_path):
    images = photos(tmp_path / "in")
    for engine in ("torch", "onnx"):
        predictor = load_predictor(
            export_folder, accelerator="cpu", engine=engine, tell=say_nothing
        )
        predict(predictor, [images], tmp_path / engine, tell=say_nothing)
    found = [np.asarray(Image.open(tmp_path / f"torch/masks/{i}.png")) for i in range(3)]
    assert len({int(label) for mask in found for label in np.unique(mask)}) > 1
    for i in range(3):
        for kind, tolerance in (("masks", 0), ("confidence", 1)):
            ours, theirs = (
                np.asarray(Image.open(tmp_path / engine / kind / f"{i}.png")).astype(int)
                for engine in ("torch", "onnx")
            )
            assert abs(ours - theirs).max() <= tolerance
    assert (tmp_path / "onnx" / "overlays" / "0.jpg").is_file()


def test_an_onnx_file_is_enough_to_predict(exported, export_run, tmp_path):
    file = tmp_path / "moved.onnx"
    file.write_bytes(exported[0].file.read_bytes())
    image, ours = export_run.val.image(0), export_run.network("best", "cpu")
    assert (load_predictor(file).predict(image).mask == ours.predict(image).mask).all()
    with pytest.raises(UserError, match="holds one network"):
        load_predictor(file, weights="student")


def test_the_file_of_a_run_is_written_if_missing_or_outdated(exported, export_folder, monkeypatch):
    said, made = [], exported[0].file
    load_predictor(export_folder, engine="onnx", tell=said.append)
    assert said == []  # it is present

    def write(run, weights, overwrite, tell):
        assert overwrite and weights in ("best", "student")
        return exported[0]

    monkeypatch.setattr(engines, "export", write)
    load_predictor(export_folder, weights="student", engine="onnx", tell=said.append)
    assert said == [f"Writing {made.with_name('student.onnx')} first."]
    content = made.read_bytes()
    digest = exported[0].card["weights_sha256"].encode()
    made.write_bytes(content.replace(digest, b"0" * len(digest)))
    load_predictor(export_folder, engine="onnx", tell=said.append)
    assert said[1:] == [f"Writing {made} first."]
    made.write_bytes(content)


def test_an_engine_needs_what_it_can_run(export_folder, export_run, tmp_path):
    with pytest.raises(UserError, match="unknown engine. Did you mean 'onnx'"):
        load_predictor(export_folder, engine="onxx")
    with pytest.raises(UserError, match="needs a run folder or an .onnx file"):
        load_predictor(export_run.paths.best, engine="onnx")
    with pytest.raises(UserError, match="for programs without fewmask"):
        load_predictor(tmp_path / "x.torchscript")
    with pytest.raises(UserError, match="not a run folder"):
        load_predictor(tmp_path, engine="onnx")
