"""An ONNX file of ours is valid, tells nothing about the machine, and takes any size."""

import numpy as np
import pytest
import torch

from fewmask.errors import UserError
from fewmask.evaluation.export.onnx_file import OPSET, OnnxFile, describe
from fewmask.evaluation.inference import network_input
from tests.evaluation.export.conftest import SIZES, photos

onnx = pytest.importorskip("onnx")


@pytest.mark.parametrize("size", SIZES)
def test_logits_of_any_size_and_number_are_ours(size, onnx_made):
    images, network = photos(*size), onnx_made.predictor.network
    with torch.no_grad():
        expected = network(network_input(network, images, "cpu")).upsampled_logits.numpy()
    found = OnnxFile(onnx_made.file)(images)
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_the_file_is_valid_and_names_its_axes_and_opset(onnx_made):
    model = onnx.load(onnx_made.file)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == OPSET == OnnxFile(onnx_made.file).card["opset"]
    axes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert axes == {
        "image": ["batch", "height", "width", 3],
        "mask": ["batch", "height", "width"],
        "confidence": ["batch", "height", "width"],
        "logits": ["batch", 3, "height", "width"],
    }


def test_the_file_names_no_files_of_this_machine(onnx_made):
    content = onnx_made.file.read_bytes()
    assert b"site-packages" not in content and b".py" not in content


def test_damaged_missing_and_foreign_files_are_refused(onnx_made, tmp_path):
    damaged, foreign = tmp_path / "damaged.onnx", tmp_path / "foreign.onnx"
    damaged.write_bytes(onnx_made.file.read_bytes()[:1000])
    with pytest.raises(UserError, match="onnxruntime cannot read.*damaged"):
        OnnxFile(damaged)
    with pytest.raises(UserError, match="There is no file"):
        OnnxFile(tmp_path / "missing.onnx")
    model = onnx.load(onnx_made.file)
    describe(model, {})
    onnx.save(model, foreign)
    with pytest.raises(UserError, match="not written by fewmask export"):
        OnnxFile(foreign)


def test_a_file_of_one_size_says_so(onnx_made, tmp_path):
    model = onnx.load(onnx_made.file)
    describe(model, {**onnx_made.card, "size": [70, 61]})
    onnx.save(model, tmp_path / "bound.onnx")
    bound = OnnxFile(tmp_path / "bound.onnx")
    assert bound(photos(1, 70, 61)).shape == (1, 3, 70, 61)
    with pytest.raises(UserError, match="70 x 61 pixels .height x width. alone.*one of 61 x 70"):
        bound(photos(1, 61, 70))


def test_a_device_that_onnxruntime_does_not_have_is_refused(onnx_made):
    with pytest.raises(UserError, match="accelerator='mps'.*auto, cpu or cuda"):
        OnnxFile(onnx_made.file, "mps")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(UserError, match="this onnxruntime has no CUDA"):
            OnnxFile(onnx_made.file, "cuda")
