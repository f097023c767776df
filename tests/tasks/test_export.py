"""A run becomes a file that predicts the same, or no file at all."""

import sys

import pytest
import torch

import fewmask
from fewmask.errors import UserError
from fewmask.evaluation.export.parity import Parity
from fewmask.runs.run import Run
from fewmask.tasks import export as task
from fewmask.tasks.engines import load_predictor
from fewmask.tasks.export import export
from tests.conftest import TINY_WORDS


def say_nothing(line):
    """Drops messages."""


def test_the_file_lies_in_the_run_and_was_compared_on_a_validation_image(exported, export_run):
    made, said = exported
    assert made.file == export_run.paths.export / "best.onnx" and made.file.is_file()
    assert len(made.parity) == 3 and made.card["long_side"] == 60 and made.card["size"] is None
    assert said[1] == "Compared with fewmask's own prediction of the validation image val_00000:"
    assert said[2:] == [f"  {parity}" for parity in made.parity]
    assert made.card["class_names"] == list(export_run.data.classes.names)


def test_int8_and_fp16_are_scored_beside_the_original(exported, export_run, tmp_path, monkeypatch):
    content = exported[0].file.read_bytes()

    def copied(kind, network, card, image, file, tell):
        file.write_bytes(content)
        return []

    monkeypatch.setattr(task, "write_checked", copied)  # the file is there already
    for precision in ("int8", "fp16"):
        made = export(
            export_run, "onnx", precision, out=tmp_path / f"{precision}.onnx", tell=say_nothing
        )
        assert [score.name for score in made.scores] == [
            "original",
            "onnx fp32",
            f"onnx {precision}",
        ]
        original, full, small = made.scores
        assert full.miou == pytest.approx(original.miou, abs=0.01) and small.miou > 0
        assert small.megabytes < full.megabytes and made.card["precision"] == precision
        assert made.file.stat().st_size == pytest.approx(small.megabytes * 1e6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fp16.onnx", "int8.onnx"]


def test_safetensors_hold_the_weights_of_any_network(export_run, tmp_path):
    for weights in ("best", "student"):
        file = tmp_path / f"{weights}.safetensors"
        assert export(export_run, "safetensors", weights=weights, out=file).file == file
        loaded, ours = load_predictor(file, accelerator="cpu"), export_run.network(weights, "cpu")
        expected = ours.network.state_dict()
        assert loaded.classes.names == ours.classes.names and loaded.long_side == 60
        assert loaded.network.crop == ours.network.crop == 48
        for name, tensor in loaded.network.state_dict().items():
            assert torch.equal(tensor, expected[name]), name


def test_an_existing_file_is_kept_unless_asked(exported, export_run, tmp_path):
    mine = tmp_path / "mine.torchscript"
    mine.write_text("mine")
    for out in (mine, None):
        with pytest.raises(UserError, match="exists.*--overwrite"):
            export(export_run, "torchscript" if out else "onnx", out=out, tell=say_nothing)
    assert mine.read_text() == "mine"
    export(export_run, "torchscript", out=mine, overwrite=True, tell=say_nothing)
    assert mine.stat().st_size > 1000


def test_a_file_that_differs_is_not_kept(export_run, tmp_path, monkeypatch):
    module = "fewmask.evaluation.export.checked.compare"
    monkeypatch.setattr(module, lambda *_: Parity((1, 4, 4, 3), 2.0, 0.1, 0.5, 7))
    with pytest.raises(UserError, match="differs from our own prediction.*2.0e.00"):
        export(export_run, "torchscript", out=tmp_path / "x.torchscript", tell=say_nothing)
    assert list(tmp_path.iterdir()) == []


def test_without_the_data_a_made_up_image_is_compared(export_run, tmp_path, monkeypatch):
    def missing(self):
        raise UserError("There is no folder photos.")

    monkeypatch.setattr(Run, "val", property(missing))
    said = []
    made = export(export_run, "torchscript", out=tmp_path / "x.torchscript", tell=said.append)
    assert made.parity[0].shape == (1, 240, 320, 3)
    assert "There is no folder photos." in said[0] and "made-up image" in said[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"format": "onxn"}, "--format onxn: unknown format. Did you mean 'onnx'"),
        ({"precision": "int4"}, "--precision int4: unknown precision. Did you mean 'int8'"),
        ({"format": "torchscript", "precision": "int8"}, "int8 needs --format onnx"),
        ({"format": "torchscript", "weights": "assistant"}, "no network 'assistant'"),
    ],
)
def test_what_cannot_be_written_is_refused(words, message, export_run, tmp_path):
    with pytest.raises(UserError, match=message):
        out = tmp_path / f"x.{words.get('format', 'onnx')}"
        export(export_run, **words, out=out, tell=say_nothing)
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_and_places_are_named(export_run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write .*file/x"):
        export(export_run, "torchscript", out=tmp_path / "file" / "x.torchscript")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"'onnxscript'.*fewmask\[onnx\]"):
        export(export_run, out=tmp_path / "x.onnx", tell=say_nothing)


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


@pytest.mark.parametrize(
    ("place", "format", "message"),
    [
        ("weights/best.pt", "safetensors", "among the files of the run"),
        ("recipe.yaml", "torchscript", "among the files of the run"),
        ("export/model.onnx", "safetensors", "must end in .safetensors"),
    ],
)
def test_a_file_of_the_run_is_never_replaced(export_run, place, format, message):
    file = export_run.folder / place
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(UserError, match=message):
        export(export_run, format, out=file, overwrite=True)
    assert (file.read_bytes() if file.exists() else None) == before
