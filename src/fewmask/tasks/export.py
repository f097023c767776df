"""Writes a trained network to a file that other programs run, and checks what the file says."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, get_args

import numpy as np
from torch import nn

from fewmask.atomic import replacing
from fewmask.data import Dataset
from fewmask.data.own_files import require_no_link
from fewmask.errors import UserError, did_you_mean
from fewmask.evaluation.export.card import Card, card_of
from fewmask.evaluation.export.checked import write_checked
from fewmask.evaluation.export.onnx_file import OnnxFile
from fewmask.evaluation.export.onnx_network import OnnxNetwork
from fewmask.evaluation.export.packages import require_onnx
from fewmask.evaluation.export.parity import Parity, at_own_size, compare
from fewmask.evaluation.export.scoring import Score, made_up_image, score
from fewmask.evaluation.export.smaller import Precision, to_fp16, to_int8
from fewmask.evaluation.export.torchscript_file import TorchScriptFile
from fewmask.evaluation.predictor import Predictor
from fewmask.run_folder import checkpoint, weights_file
from fewmask.runs.run import Run

Format = Literal["onnx", "torchscript", "safetensors"]
CALIBRATION = 32
"""Images from which the ranges of 8-bit integers are measured."""


class Exported(NamedTuple):
    """An exported file, and what was checked about it."""

    file: Path
    card: Card
    parity: list[Parity]
    """Empty for safetensors, which holds the weights themselves."""
    scores: list[Score]
    """The original first; empty unless a smaller precision was asked for."""


def export(
    run: Run,
    format: str = "onnx",
    precision: str = "fp32",
    weights: str = "best",
    out: Path | None = None,
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
) -> Exported:
    """Writes a network of a run to a file, and compares it with our own prediction.

    Args:
        run: a trained run.
        format: onnx, torchscript or safetensors.
        precision: fp32, or for ONNX fp16 or int8.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        out: the file to write; by default one in the folder `export` of the run.
        overwrite: whether to replace an existing file.
        tell: receives notes on what was decided.

    Raises:
        UserError: for an unknown format or precision, a missing package, an existing file, or if
            the file would not say what our own prediction says. Then no file is left.
    """
    require_known("format", format, get_args(Format))
    require_known("precision", precision, get_args(Precision))
    if precision != "fp32" and format != "onnx":
        raise UserError(f"--precision {precision} needs --format onnx, not {format}.")
    if format == "onnx":
        require_onnx("onnx", "onnxscript", "onnxruntime")
    file = out or default_file(run, format, precision, weights)
    _require_own_place(file, run, format)
    if file.exists() and not overwrite:
        raise UserError(f"{file} exists. Give another --out, or replace it with --overwrite.")
    _require_writable(file)
    predictor = run.network(weights, "cpu")
    with replacing(file) as temporary:
        made = _Exporter(run, predictor, weights, tell).write(format, precision, temporary)
    return made._replace(file=file)


def _require_own_place(file: Path, run: Run, format: str) -> None:
    """Refuses a file of the run itself, and a suffix by which the file could not be read again."""
    if file.parent == run.paths.export:  # nobody typed where it is
        require_no_link(file.parent)
    inside = file.resolve()
    if run.folder.resolve() in inside.parents and run.paths.export.resolve() not in inside.parents:
        raise UserError(
            f"{file} is among the files of the run, which must stay as they are. Give an --out "
            f"elsewhere, or in {run.paths.export}."
        )
    if file.suffix != f".{format}":
        raise UserError(f"--out {file}: the file of --format {format} must end in .{format}.")


def _require_writable(file: Path) -> None:
    """Finds a folder that cannot be written to before the work."""
    try:
        with replacing(file.with_name(f"{file.name}.try")) as temporary:
            temporary.touch()
        file.with_name(f"{file.name}.try").unlink()
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror or error}.") from None


def default_file(run: Run, format: str, precision: str, weights: str) -> Path:
    """Where an exported network lies in its run."""
    suffix = "" if precision == "fp32" else f"-{precision}"
    return run.paths.export / f"{weights}{suffix}.{format}"


def source(run: Run, weights: str) -> Path:
    """The checkpoint that holds a network."""
    return run.paths.best if weights == "best" else run.paths.last


def sha256(file: Path) -> str:
    """The digest of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_known(option: str, value: str, known: tuple[str, ...]) -> None:
    """Refuses a value that an option does not have."""
    if value not in known:
        raise UserError(f"--{option} {value}: unknown {option}. {did_you_mean(value, known)}")


class _Exporter:
    """Writes one network of a run in one form."""

    def __init__(self, run: Run, predictor: Predictor, weights: str, tell: Callable[[str], None]):
        self.run, self.predictor, self.weights, self.tell = run, predictor, weights, tell
        self.network: nn.Module = predictor.network
        self.card = card_of(predictor, sha256(source(run, weights)))

    def write(self, format: str, precision: str, file: Path) -> Exported:
        """Writes the file; where it will be in the end is not known here."""
        if format == "safetensors":
            self._write_weights(file)
            return Exported(file, self.card, [], [])
        image = self._image()
        if format == "torchscript":
            parity = write_checked("torchscript", self.network, self.card, image, file, self.tell)
            made = Exported(file, TorchScriptFile(file).card, parity, [])
        else:
            self.tell("Writing ONNX takes seconds to minutes, depending on the network.")
            parity = write_checked("onnx", self.network, self.card, image, file, self.tell)
            made = Exported(file, OnnxFile(file).card, parity, [])
        self._tell_compared(made.parity)
        return made if precision == "fp32" else self._make_smaller(made, precision, image)

    def _tell_compared(self, found: list[Parity]) -> None:
        picture = f"the validation image {self._val.names[0]}" if self._val else "a made-up image"
        self.tell(f"Compared with fewmask's own prediction of {picture}:")
        for parity in found:
            self.tell(f"  {parity}")

    def _write_weights(self, file: Path) -> None:
        # Settings and classes are the same for all networks of a run.
        content = checkpoint.load(self.run.paths.best, "weights", "model")
        own = self.network.state_dict()
        if own.keys() != content["weights"].keys():
            raise UserError(
                f"'{self.weights}' is more than the weights of a model, so that safetensors cannot "
                "hold it. Use --format onnx."
            )
        if self.weights != "best":
            content |= {"network": self.weights, "crop": getattr(self.network, "crop", None)}
            content = {key: x for key, x in content.items() if key not in ("step", "miou")}
        weights_file.save({**content, "weights": own}, file)

    @cached_property
    def _val(self) -> Dataset | None:
        """The validation images of the run, if they are still there."""
        try:
            return self.run.val
        except UserError as error:
            self.tell(f"The validation images of the run cannot be opened: {error}")
            return None

    def _image(self) -> np.ndarray:
        """A validation image of the run, or else one that is made up."""
        if self._val is None:
            return made_up_image(self.predictor.channels)
        return self._val.image(0)

    def _make_smaller(self, original: Exported, precision: str, image: np.ndarray) -> Exported:
        """Replaces the file by a smaller one, and scores all three forms."""
        with TemporaryDirectory() as folder:
            full, small = Path(folder) / "fp32.onnx", Path(folder) / f"{precision}.onnx"
            full.write_bytes(original.file.read_bytes())
            if precision == "fp16":
                to_fp16(full, original.card, small)
            else:
                to_int8(full, original.card, self._calibration(original.card["size"]), small)
            parity = compare(self.network, OnnxFile(small), at_own_size(image))
            self.tell(f"As {precision}:\n  {parity}")
            if not np.isfinite(parity.difference):
                raise UserError(
                    f"This network overflows in {precision}, so no file was written. Use "
                    "--precision fp32."
                )
            scores = self._scores(full, small, precision, image)
            original.file.write_bytes(small.read_bytes())
            return Exported(original.file, OnnxFile(small).card, [parity], scores)

    def _calibration(self, size: list[int] | None) -> list[np.ndarray]:
        """Labeled images, spread over the list, as the network sees them."""
        labeled = self.run.data.labeled
        indices = np.unique(np.linspace(0, len(labeled) - 1, CALIBRATION).astype(int))
        images = [labeled.image(int(index)) for index in indices]
        fitting = [image for image in images if size is None or list(image.shape[:2]) == size]
        if not fitting:
            raise UserError(
                f"int8: no labeled image is {size} pixels large (height, width), as this file "
                "needs. Use --precision fp16."
            )
        return fitting

    def _scores(self, full: Path, small: Path, precision: str, image: np.ndarray) -> list[Score]:
        exported = OnnxNetwork(full)
        forms: list[tuple[str, nn.Module, Path]] = [
            ("original", self.network, source(self.run, self.weights)),
            ("onnx fp32", exported, full),
            (f"onnx {precision}", OnnxNetwork(small), small),
        ]
        val, classes, config = self._val, len(self.predictor.classes), self.run.recipe.evaluation
        if exported.card["size"] is not None:
            self.tell("Not scored on val: the file takes images of one size alone.")
            val = None
        return [score(*form, val, config, classes, image) for form in forms]
