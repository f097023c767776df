"""Exports pseudo-labels for the unlabeled images of a run, to be corrected and used as masks."""

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

from fewmask.data import Classes
from fewmask.errors import UserError
from fewmask.report.prediction_folder import Named, PredictionFolder
from fewmask.runs.run import Run
from fewmask.tasks.predict import FolderPredictor, Predicted


def pseudo_labels(
    run: Run,
    out: Path,
    threshold: float,
    weights: str = "best",
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
    annotations: Sequence[str] = (),
) -> Predicted:
    """Writes pseudo-labels as `predict` writes masks; uncertain pixels get no label.

    Put a corrected mask into the masks folder of the data, and the next run trains on it.

    Args:
        run: opened with its unlabeled images.
        out: the folder to write to.
        threshold: pixels with a lower confidence get no label.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        overwrite: whether to export finished images again.
        tell: receives messages on progress.
        annotations: formats of labeling tools: coco, cvat, labelme, labelstudio.

    Raises:
        UserError: if the unlabeled images are not files.
    """
    if not 0 <= threshold < 1:
        raise UserError(f"--threshold={threshold}: expected a confidence from 0 to below 1.")
    files = named_files(run)
    predictor = run.network(weights)
    if predictor.classes.no_label is None:
        predictor.classes = predictor.classes.with_no_label()
        tell(_how_to_read(predictor.classes, bool(getattr(run.recipe.data, "palette", None))))
    # Claimed first: a folder of other predictions is refused before anything is computed.
    folder = PredictionFolder(out, threshold, overwrite, annotations)
    folder.claim(predictor)
    return FolderPredictor(predictor, folder, tell).run(files)


def _how_to_read(classes: Classes, in_colors: bool) -> str:
    """Says which value uncertain pixels get, if the user's masks have none for 'no label'."""
    color = "#{:02x}{:02x}{:02x}".format(*classes.no_label_color)
    what, how = f"the value {classes.no_label}", f"data.ignore='[{classes.no_label}]'"
    if in_colors:
        what, how = f"the color {color}", f"an entry '{color}': 255 in data.palette"
    return (
        f"Pixels below the threshold get {what}, as your masks have none that means 'no label'. To "
        f"train on these masks: {how}."
    )


def named_files(run: Run) -> list[Named]:
    """The unlabeled images, with names that stay inside the output folder.

    A list may name images by paths such as `../other/p1`, which lead out of its folder.
    """
    unlabeled = run.data.unlabeled
    images = [unlabeled.file(index) for index in range(len(unlabeled))]
    if None in images:
        raise UserError(
            "The unlabeled images of this run are not files, so they cannot be labeled by hand."
        )
    # Names have forward slashes on every system, but a list may have been written on Windows.
    names = [name.replace("\\", "/") for name in unlabeled.names]
    inside = [posixpath.normpath(f"/{name}").lstrip("/") for name in names]
    if len({*inside}) < len(inside):
        raise UserError(
            "Two unlabeled images differ only by '..' in their paths; give data.pool a folder."
        )
    return [(file, name) for file, name in zip(images, inside, strict=True) if file is not None]
