"""The Python functions: train, resume, evaluate, load, predict, export."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fewmask.cli.words import evaluation_options, parse_options, recipe_from_words
from fewmask.evaluation.predictor import Predictor
from fewmask.runs.initial_weights import InitialWeights
from fewmask.runs.run import Run
from fewmask.tasks import evaluate as evaluating
from fewmask.tasks import export as exporting
from fewmask.tasks import predict as predicting
from fewmask.tasks import train as training
from fewmask.tasks.engines import load_predictor
from fewmask.tasks.evaluate import Evaluated
from fewmask.tasks.predict import Predicted


def train(
    *words: str | Path,
    out: Path | str | None = None,
    overwrite: bool = False,
    weights: Path | str | None = None,
    profile: bool = False,
    new_head: bool = False,
) -> Run:
    """Trains a model.

    Args:
        words: as on the command line: a shipped recipe or a YAML file, if any, then options as
            `key=value`.
        out: the run folder; by default the next free number under `runs/`.
        overwrite: whether to replace a run that `out` holds.
        weights: a run folder, whose best weights are taken, or a checkpoint (`last.pt` or
            `best.pt`) to start from.
        profile: whether to write a table of what the first steps spend their time on.
        new_head: whether to take all weights but those of the head, for other classes.

    Raises:
        UserError: for wrong settings or data, before training starts.

    Example:
        run = fewmask.train("synthetic", "method=imas", "training.steps=100")
        run.scores["teacher"].miou
    """
    return training.train(
        recipe_from_words(words),
        None if out is None else Path(out),
        overwrite,
        None if weights is None else InitialWeights.at(Path(weights), new_head),
        profile,
    )


def resume(folder: Path | str, *options: str) -> Run:
    """Continues a run exactly where its last checkpoint left it.

    Args:
        folder: the run folder.
        options: `key=value`. You can change `machine.*`, `training.steps`, `training.*_every`, and
            where the data is stored.

    Raises:
        UserError: if there is no such run, or if a change would make it another run.
    """
    return training.resume(Path(folder), parse_options(options))


def evaluate(run: Path | str, *options: str, weights: str = "best") -> Evaluated:
    """Scores a trained run on its validation images.

    Args:
        run: the run folder.
        options: `key=value`. You can change `evaluation.*`, `data.*` and `machine.*`.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...

    Returns:
        The classes, and the scores.
    """
    opened = Run.open(run, changes=evaluation_options(options), tell=print)
    return evaluating.evaluate(opened, weights)


def load(
    run: Path | str, weights: str = "best", accelerator: str = "auto", engine: str = "torch"
) -> Predictor:
    """Loads a trained network for prediction.

    Args:
        run: a run folder, or a `best.pt`, .safetensors or .onnx file alone.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        accelerator: auto, cpu, cuda or mps.
        engine: torch, or onnx for the exported network, run by onnxruntime.

    Raises:
        UserError: if there is no such run or network.

    Example:
        prediction = fewmask.load("runs/photos-fewmatch-001").predict(image)
    """
    return load_predictor(Path(run), weights, accelerator, engine)


def export(
    run: Path | str,
    format: str = "onnx",
    precision: str = "fp32",
    weights: str = "best",
    out: Path | str | None = None,
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
) -> Path:
    """Writes a trained network to a file that runs without fewmask, and checks the file.

    Args:
        run: a run folder.
        format: onnx, torchscript or safetensors.
        precision: fp32, or for ONNX fp16 or int8.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        out: the file; by default one in the folder `export` of the run.
        overwrite: whether to replace an existing file.
        tell: receives messages.

    Returns:
        The file.

    Raises:
        UserError: if there is no such run, network or format, or if the file would not say what
            our own prediction says.

    Example:
        file = fewmask.export("runs/photos-fewmatch-001", format="onnx")
    """
    place = None if out is None else Path(out)
    opened = Run.open(run)
    return exporting.export(opened, format, precision, weights, place, overwrite, tell).file


def predict(
    run: Path | str,
    images: Path | str | Sequence[Path | str],
    out: Path | str,
    weights: str = "best",
    accelerator: str = "auto",
    engine: str = "torch",
    share: tuple[int, int] = (0, 1),
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
    annotations: Sequence[str] = (),
    overlay_video: bool = False,
) -> Predicted:
    """Predicts images, and writes masks, overlays and confidence maps.

    Args:
        run: a run folder, or a `best.pt`, .safetensors or .onnx file.
        images: a folder, a glob pattern, a .txt list, an image, a video, the URL of an image, or
            several of them.
        out: the folder to write to.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        accelerator: auto, cpu, cuda or mps.
        engine: torch, or onnx for the exported network, run by onnxruntime.
        share: (k, n) predicts only the k-th of n equal shares of the images, counted from 0.
        overwrite: whether to predict finished images again.
        tell: receives messages on progress, and on images that were left out.
        annotations: formats of labeling tools to write as well: coco, cvat, labelme, labelstudio.
        overlay_video: whether to join the overlays of each video to `overlays/VIDEO.mp4`.

    Raises:
        UserError: if there is no such run or no image, or if `out` holds other predictions.

    Example:
        fewmask.predict("runs/photos-fewmatch-001", "new_photos/", "predictions/")
    """
    places = [images] if isinstance(images, (str, Path)) else list(images)
    predictor = load(run, weights, accelerator, engine)
    return predicting.predict(
        predictor, places, Path(out), share, overwrite, tell, annotations, overlay_video
    )
