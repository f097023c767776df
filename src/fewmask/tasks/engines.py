"""Loads a network to predict with: run by torch, or as an exported file by onnxruntime."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from fewmask.errors import UserError
from fewmask.evaluation.export.onnx_file import OnnxFile
from fewmask.evaluation.predictor import Predictor
from fewmask.runs.predictors import onnx_predictor
from fewmask.runs.run import Run, load_network
from fewmask.tasks.export import default_file, export, require_known, sha256, source

Engine = Literal["torch", "onnx"]


def load_predictor(
    run: Path,
    weights: str = "best",
    accelerator: str = "auto",
    engine: str = "torch",
    tell: Callable[[str], None] = print,
) -> Predictor:
    """Loads a network to predict with, run by torch or by onnxruntime.

    Args:
        run: a run folder, a best.pt, or an exported .safetensors or .onnx file.
        weights: `best`, or a network of the last checkpoint.
        accelerator: auto, cpu, cuda or mps.
        engine: torch or onnx. A run that has no ONNX file of its present weights is exported first.
        tell: receives a note if so.

    Raises:
        UserError: if there is no such run, network, engine or device.
    """
    require_known("engine", engine, get_args(Engine))
    is_onnx = run.suffix == ".onnx"
    if run.suffix == ".torchscript":
        raise UserError(
            f"{run}: TorchScript files are for programs without fewmask. Predict from the run "
            "folder, or from a best.pt, .safetensors or .onnx file."
        )
    if engine == "torch" and not is_onnx:
        return load_network(run, weights, accelerator)
    if is_onnx and weights != "best":
        raise UserError(f"{run} holds one network. To use '{weights}', give the run folder.")
    if not is_onnx and run.is_file():
        raise UserError(f"--engine onnx needs a run folder or an .onnx file, not {run}.")
    file = run if is_onnx else _present_file(Run.open(run), weights, tell)
    return onnx_predictor(file, accelerator)


def _present_file(run: Run, weights: str, tell: Callable[[str], None]) -> Path:
    """The ONNX file of a run's present weights; it is written if missing or outdated."""
    file = default_file(run, "onnx", "fp32", weights)
    if file.is_file():
        origin = source(run, weights)
        if origin.is_file() and OnnxFile(file).card["weights_sha256"] == sha256(origin):
            return file
    tell(f"Writing {file} first.")
    return export(run, weights=weights, overwrite=True, tell=tell).file
