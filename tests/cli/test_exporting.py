"""The command export, and predictions with the files it writes."""

import numpy as np
import pytest
from PIL import Image

from tests.program import fewmask


def test_export_prints_what_was_checked_and_onnx_predicts_the_same(run, tmp_path):
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    photos = run.parent.parent / "photos" / "images"
    cwd = run.parent.parent
    text = fewmask("export", run, cwd=cwd)
    assert text.count("equal pixels 100 %") == 3 and "validation image" in text
    assert "best.onnx" in text and "opset 18, takes images of any size" in text
    assert "exists" in fewmask("export", run, cwd=cwd, code=2)
    fewmask("predict", run, photos, "--out", tmp_path / "a")
    text = fewmask("predict", run, photos, "--out", tmp_path / "b", "--engine", "onnx")
    assert "9 image(s) predicted" in text
    for i in range(9):
        ours, theirs = (
            np.asarray(Image.open(tmp_path / engine / "masks" / f"p{i}.png")) for engine in "ab"
        )
        assert (ours == theirs).all()


def test_weights_and_recordings_are_written_where_asked(run, tmp_path):
    cwd = run.parent.parent
    for format in ("safetensors", "torchscript"):
        file = tmp_path / f"x.{format}"
        text = fewmask("export", run, "--format", format, "--out", file, cwd=cwd)
        assert str(file) in text and file.is_file()
    text = fewmask("predict", tmp_path / "x.safetensors", cwd / "photos" / "images" / "p0.jpg",
                   "--out", tmp_path / "out")  # fmt: skip
    assert "1 image(s) predicted" in text


def test_mistakes_end_with_one_message(run, tmp_path):
    assert "unknown format" in fewmask("export", run, "--format", "tflite", code=2)
    assert "not a run folder" in fewmask("export", tmp_path, code=2)
