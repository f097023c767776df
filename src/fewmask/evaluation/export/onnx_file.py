"""ONNX files: written by torch's exporter, checked, and opened with onnxruntime."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewmask.errors import UserError
from fewmask.evaluation.export.card import Card, from_strings, to_strings
from fewmask.evaluation.export.packages import require_onnx
from fewmask.evaluation.export.plain import INPUT, OUTPUTS, PlainNetwork

OPSET = 18
"""Version of ONNX's operators; onnxruntime reads it since 1.14."""
AXES = ("batch", "height", "width")
"""Names of what may have any size."""


def write(network: PlainNetwork, card: Card, example: Tensor, file: Path) -> None:
    """Writes a network, and checks the file with ONNX's own checker.

    Args:
        network: to write.
        card: becomes the metadata. If it names a size, only the number of images stays free.
        example: uint8 [B, H, W, C] with B > 1: torch takes a length of 1 for a constant.
        file: to write.

    Raises:
        UserError: if a package is missing.
        Exception: of torch's exporter, if the network cannot be written with these sizes free.
    """
    require_onnx("onnx", "onnxscript", "onnxruntime")
    import onnx

    free = (0,) if card["size"] else (0, 1, 2)
    shapes = ({axis: torch.export.Dim.DYNAMIC for axis in free},)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch about torch
        program = torch.onnx.export(
            network, (example,), dynamo=True, dynamic_shapes=shapes, opset_version=OPSET,
            input_names=[INPUT], output_names=list(OUTPUTS), verbose=False,
        )  # fmt: skip
    assert program is not None
    model = _tidied(program.model_proto, free)
    describe(model, {**card, "opset": OPSET})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)


def describe(model: Any, card: Card) -> None:
    """Replaces the metadata of a model by a card."""
    del model.metadata_props[:]
    for key, text in to_strings(card).items():
        model.metadata_props.add(key=key, value=text)


def _tidied(model: Any, free: tuple[int, ...]) -> Any:
    """Names the free axes, and removes torch's notes: they name files of this machine."""
    model.producer_name, model.doc_string = "fewmask", ""
    graph = model.graph
    axes = graph.input[0].type.tensor_type.shape.dim
    names = {axes[axis].dim_param: AXES[axis] for axis in free}
    del graph.value_info[:]  # torch's names of sizes in between; onnxruntime finds its own
    for value in (*graph.input, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    return model


class OnnxFile:
    """An opened ONNX file of ours.

    Args:
        file: written by `fewmask export`.
        accelerator: `cpu`, or `auto` and `cuda` for a GPU if this onnxruntime can use one.

    Raises:
        UserError: if onnxruntime is missing, or cannot read the file.
    """

    def __init__(self, file: Path, accelerator: str = "cpu"):
        require_onnx("onnxruntime")
        import onnxruntime

        if not file.is_file():
            raise UserError(f"There is no file {file}. Write one with fewmask export RUN.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors; its warnings are about its own optimizations
        providers = _providers(onnxruntime.get_available_providers(), accelerator)
        try:
            self.session = onnxruntime.InferenceSession(str(file), options, providers)
            strings = self.session.get_modelmeta().custom_metadata_map
        except Exception as error:  # onnxruntime has a class of its own for each reason
            raise UserError(
                f"onnxruntime cannot read {file}: {str(error)[:200]}. The file is damaged or no "
                "ONNX file. Export the run again."
            ) from None
        self.card = from_strings(strings, file)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Logits, float32 [B, K, H, W], of images, uint8 [B, H, W, C]."""
        size = self.card["size"]
        if size is not None and list(images.shape[1:3]) != size:
            raise UserError(
                f"This ONNX file takes images of {size[0]} x {size[1]} pixels (height x width) "
                f"alone, and got one of {images.shape[1]} x {images.shape[2]}. Resize the images, "
                "or predict without --engine onnx."
            )
        (logits,) = self.session.run([OUTPUTS[2]], {INPUT: images})
        return np.asarray(logits)


def _providers(available: list[str], accelerator: str) -> list[str]:
    """What computes: a GPU if asked for or found, and the CPU for the rest."""
    cpu, gpu = "CPUExecutionProvider", "CUDAExecutionProvider"
    if accelerator not in ("auto", "cpu", "cuda"):
        raise UserError(f"accelerator={accelerator!r}: ONNX files run on auto, cpu or cuda.")
    if accelerator == "cuda" and gpu not in available:
        raise UserError(
            "accelerator='cuda': this onnxruntime has no CUDA. Install onnxruntime-gpu instead of "
            "onnxruntime, or use the CPU."
        )
    return [cpu] if accelerator == "cpu" or gpu not in available else [gpu, cpu]
