"""A run becomes a file that predicts the same, or no file at all."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

import fewmask
from fewmask.errors import UserError
from fewmask.evaluation.export.parity import Parity
from fewmask.runs.run import Run
from fewmask.tasks import export as task
from fewmask.tasks.export import export, load_predictor
from fewmask.tasks.predict import predict
from tests.conftest import TINY_WORDS

for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package)


def say_nothing(line):
    """Drops messages."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    words = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=2", "data.long_side=60")
    return fewmask.train(*words, out=tmp_path_factory.mktemp("export") / "run").folder


@pytest.fixture(scope="module")
def exported(folder):
    """The run with its ONNX file, which takes seconds to write."""
    said = []
    return export(Run.open(folder), tell=said.append), said


@pytest.fixture
def run(folder):
    return Run.open(folder)


def photos(place):
    place.mkdir()
    rng = np.random.default_rng(0)
    for i, size in enumerate([(33, 70), (60, 60), (5, 9)]):
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(image).save(place / f"{i}.png")
    return place


def test_the_file_lies_in_the_run_and_was_compared_on_a_validation_image(exported, run):
    made, said = exported
    assert made.file == run.paths.export / "best.onnx" and made.file.is_file()
    assert len(made.parity) == 3 and made.card["long_side"] == 60 and made.card["size"] is None
    assert said == ["Compared with fewmask's own prediction of the validation image val_00000:"]
    assert made.card["class_names"] == list(run.data.classes.names)


def test_both_engines_write_the_same_masks(exported, folder, tmp_path):
    images = photos(tmp_path / "in")
    for engine in ("torch", "onnx"):
        predictor = load_predictor(folder, accelerator="cpu", engine=engine, tell=say_nothing)
        predict(predictor, [images], tmp_path / engine, tell=say_nothing)
    for i in range(3):
        for kind, tolerance in (("masks", 0), ("confidence", 1)):
            ours, theirs = (
                np.asarray(Image.open(tmp_path / engine / kind / f"{i}.png")).astype(int)
                for engine in ("torch", "onnx")
            )
            assert abs(ours - theirs).max() <= tolerance
    assert (tmp_path / "onnx" / "overlays" / "0.jpg").is_file()


def test_an_onnx_file_is_enough_to_predict(exported, run, tmp_path):
    file = tmp_path / "moved.onnx"
    file.write_bytes(exported[0].file.read_bytes())
    image, ours = run.val.image(0), run.network("best", "cpu")
    assert (load_predictor(file).predict(image).mask == ours.predict(image).mask).all()
    with pytest.raises(UserError, match="holds one network"):
        load_predictor(file, weights="student")


def test_the_file_of_a_run_is_written_if_missing_or_outdated(exported, folder, monkeypatch):
    said, made = [], exported[0].file
    load_predictor(folder, engine="onnx", tell=said.append)
    assert said == []  # it is present

    def write(run, weights, overwrite, tell):
        assert overwrite and weights in ("best", "student")
        return exported[0]

    monkeypatch.setattr(task, "export", write)
    load_predictor(folder, weights="student", engine="onnx", tell=said.append)
    assert said == [f"Writing {made.with_name('student.onnx')} first."]
    content = made.read_bytes()
    digest = exported[0].card["weights_sha256"].encode()
    made.write_bytes(content.replace(digest, b"0" * len(digest)))
    load_predictor(folder, engine="onnx", tell=said.append)
    assert said[1:] == [f"Writing {made} first."]
    made.write_bytes(content)


def test_int8_and_fp16_are_scored_beside_the_original(exported, run, tmp_path, monkeypatch):
    content = exported[0].file.read_bytes()

    def copied(kind, network, card, image, file, tell):
        file.write_bytes(content)
        return []

    monkeypatch.setattr(task, "write_checked", copied)  # the file is there already
    for precision in ("int8", "fp16"):
        made = export(run, "onnx", precision, out=tmp_path / precision, tell=say_nothing)
        assert [score.name for score in made.scores] == [
            "original",
            "onnx fp32",
            f"onnx {precision}",
        ]
        original, full, small = made.scores
        assert full.miou == pytest.approx(original.miou, abs=0.01) and small.miou > 0
        assert small.megabytes < full.megabytes and made.card["precision"] == precision
        assert made.file.stat().st_size == pytest.approx(small.megabytes * 1e6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fp16", "int8"]


def test_safetensors_hold_the_weights_of_any_network(run, tmp_path):
    for weights in ("best", "student"):
        file = tmp_path / f"{weights}.safetensors"
        assert export(run, "safetensors", weights=weights, out=file).file == file
        loaded, ours = load_predictor(file, accelerator="cpu"), run.network(weights, "cpu")
        expected = ours.network.state_dict()
        assert loaded.classes.names == ours.classes.names and loaded.long_side == 60
        assert loaded.network.crop == ours.network.crop == 48
        for name, tensor in loaded.network.state_dict().items():
            assert torch.equal(tensor, expected[name]), name


def test_an_existing_file_is_kept_unless_asked(exported, run, tmp_path):
    mine = tmp_path / "mine.torchscript"
    mine.write_text("mine")
    for out in (mine, None):
        with pytest.raises(UserError, match="exists.*--overwrite"):
            export(run, "torchscript" if out else "onnx", out=out, tell=say_nothing)
    assert mine.read_text() == "mine"
    export(run, "torchscript", out=mine, overwrite=True, tell=say_nothing)
    assert mine.stat().st_size > 1000


def test_a_file_that_differs_is_not_kept(run, tmp_path, monkeypatch):
    module = "fewmask.evaluation.export.checked.compare"
    monkeypatch.setattr(module, lambda *_: Parity((1, 4, 4, 3), 2.0, 0.1, 0.5, 7))
    with pytest.raises(UserError, match="differs from our own prediction.*2.0e.00"):
        export(run, "torchscript", out=tmp_path / "x.torchscript", tell=say_nothing)
    assert list(tmp_path.iterdir()) == []


def test_without_the_data_a_made_up_image_is_compared(run, tmp_path, monkeypatch):
    def missing(self):
        raise UserError("There is no folder photos.")

    monkeypatch.setattr(Run, "val", property(missing))
    said = []
    made = export(run, "torchscript", out=tmp_path / "x.torchscript", tell=said.append)
    assert made.parity[0].shape == (1, 240, 320, 3)
    assert "There is no folder photos." in said[0] and "made-up image" in said[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"format": "onxn"}, "--format onxn: unknown format. Did you mean 'onnx'"),
        ({"precision": "int4"}, "--precision int4: unknown precision. Did you mean 'int8'"),
        ({"format": "torchscript", "precision": "int8"}, "int8 needs --format onnx"),
        ({"weights": "assistant"}, "no network 'assistant'"),
    ],
)
def test_what_cannot_be_written_is_refused(words, message, run, tmp_path):
    with pytest.raises(UserError, match=message):
        export(run, **words, out=tmp_path / "x", tell=say_nothing)
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_and_places_are_named(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write .*file/x"):
        export(run, "torchscript", out=tmp_path / "file" / "x", tell=say_nothing)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"'onnxscript'.*fewmask\[onnx\]"):
        export(run, out=tmp_path / "x", tell=say_nothing)


def test_an_engine_needs_what_it_can_run(folder, run, tmp_path):
    with pytest.raises(UserError, match="unknown engine. Did you mean 'onnx'"):
        load_predictor(folder, engine="onxx")
    with pytest.raises(UserError, match="needs a run folder or an .onnx file"):
        load_predictor(run.paths.best, engine="onnx")
    with pytest.raises(UserError, match="for programs without fewmask"):
        load_predictor(tmp_path / "x.torchscript")
    with pytest.raises(UserError, match="not a run folder"):
        load_predictor(tmp_path, engine="onnx")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "decoder"), [("vit_tiny_patch16_224", "dpt"), ("tf_efficientnet_lite0", "linear")]
)
def test_other_kinds_of_networks_can_be_exported(encoder, decoder, tmp_path):
    words = [word for word in TINY_WORDS if "decoder" not in word]
    words += ["method=supervised", "training.steps=1", f"model.decoder={decoder}"]
    words += [f"model.encoder={encoder}", "model.pretrained=false"]
    run = fewmask.train("synthetic", *words, out=tmp_path / "run")
    made = export(run, tell=say_nothing)
    assert made.card["size"] is None and len(made.parity) == 3
