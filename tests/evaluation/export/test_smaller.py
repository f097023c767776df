"""Smaller files stay close to the original, and say what they are."""

import numpy as np
import pytest

from fewmask.evaluation.export.onnx_file import OnnxFile
from fewmask.evaluation.export.smaller import to_fp16, to_int8
from tests.evaluation.export.conftest import photos


@pytest.mark.parametrize(("precision", "share"), [("fp16", 0.55), ("int8", 0.4)])
def test_a_smaller_file_is_smaller_and_close_to_the_original(precision, share, onnx_made, tmp_path):
    file = tmp_path / f"{precision}.onnx"
    card = OnnxFile(onnx_made.file).card
    if precision == "fp16":
        to_fp16(onnx_made.file, card, file)
    else:
        to_int8(onnx_made.file, card, [photos(1, 65, 80)[0], photos(1, 50, 40)[0]], file)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.stat().st_size < share * onnx_made.file.stat().st_size
    small, full = OnnxFile(file), OnnxFile(onnx_made.file)
    assert small.card == {**full.card, "precision": precision}
    for size in ((1, 65, 90), (2, 48, 33)):
        expected, found = full(photos(*size)), small(photos(*size))
        assert 0 < np.abs(found - expected).mean() < 0.05 * np.abs(expected).max()
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9
