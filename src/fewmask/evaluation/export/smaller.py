"""Smaller ONNX files: half precision, and 8-bit integers."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fewmask.evaluation.export.card import Card
from fewmask.evaluation.export.onnx_file import describe
from fewmask.evaluation.export.packages import require_onnx
from fewmask.evaluation.export.plain import INPUT

Precision = Literal["fp32", "fp16", "int8"]


def to_fp16(source: Path, card: Card, file: Path) -> None:
    """Writes a copy of a file with weights and activations in half precision.

    Input and outputs stay as they are.
    """
    require_onnx("onnx", "onnxruntime")
    import onnx
    from onnxruntime.transformers import float16

    model = float16.convert_float_to_float16(onnx.load(source), keep_io_types=True)
    describe(model, {**card, "precision": "fp16"})
    onnx.save(model, file)


def to_int8(source: Path, card: Card, images: Iterable[np.ndarray], file: Path) -> None:
    """Writes a copy of a file whose convolutions and products compute with 8-bit integers.

    Args:
        source: an ONNX file in float32.
        card: its card.
        images: uint8 [H, W, C], from which the ranges of activations are measured.
        file: to write.
    """
    require_onnx("onnx", "onnxruntime")
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = file.with_name(f"{file.stem}-prepared.onnx")
    try:
        # Fuses BatchNorm into convolutions; ranges are measured on what remains.
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared), str(file), _reader(images), quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        )  # fmt: skip
    finally:
        prepared.unlink(missing_ok=True)
    model = onnx.load(file)
    describe(model, {**card, "precision": "int8"})
    onnx.save(model, file)


def _reader(images: Iterable[np.ndarray]) -> Any:
    """Images in the form that onnxruntime's quantizer asks for."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[dict[str, np.ndarray]] = (
                {INPUT: np.ascontiguousarray(image[None])} for image in images
            )

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.batches, None)

    return Reader()
