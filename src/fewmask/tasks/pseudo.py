"""Exports pseudo-labels for the unlabeled images of a run, to be corrected and used as masks."""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fewmask.data import Classes
from fewmask.data.lists.reading import match_names, read_lines
from fewmask.errors import UserError
from fewmask.report.annotating import photos_to_annotate, write_annotations
from fewmask.report.prediction_folder import PredictionFolder
from fewmask.runs.run import Run
from fewmask.tasks.places import Named
from fewmask.tasks.predict import FolderPredictor, Predicted
from fewmask.tasks.rank import LIST

NEARLY_EMPTY = 5.0
"""Percent of labeled pixels below which a lower threshold is proposed."""
MOST_CLASSES = 12
"""Classes whose share is told."""


def pseudo_labels(
    run: Run,
    out: Path,
    threshold: float,
    weights: str = "best",
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
    annotations: Sequence[str] = (),
    only: Path | None = None,
) -> Predicted:
    """Writes pseudo-labels as `predict` writes masks; in `masks`, uncertain pixels get no label.

    A run can be trained on these. For a person who corrects them, `full` has masks in which every
    pixel has a label, and `unsure` is white where to look first: where `masks` has no label. Put a
    corrected mask into the masks folder of the data, and the next run trains on it.

    Args:
        run: opened with its unlabeled images.
        out: the folder to write to.
        threshold: pixels with a lower confidence get no label. With 0, all pixels get one, and
            `full` and `unsure` are not written.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        overwrite: whether to export finished images again.
        tell: receives messages on progress, and which share of the pixels is labeled.
        annotations: formats of labeling tools: coco, cvat, labelme, labelstudio. They hold the
            labels of `full`.
        only: a list of unlabeled images, such as the `to_label.txt` of `rank`. By default, all.

    Raises:
        UserError: if the unlabeled images are not files, or the list names other images.
    """
    if not 0 <= threshold < 1:
        raise UserError(f"--threshold={threshold}: expected a confidence from 0 to below 1.")
    files = named_files(run) if only is None else _listed(named_files(run), run, only)
    predictor = run.network(weights)
    if predictor.classes.no_label is None:
        predictor.classes = predictor.classes.with_no_label()
        tell(_how_to_read(predictor.classes, bool(getattr(run.recipe.data, "palette", None))))
    # Claimed first: a folder of other predictions is refused before anything is computed.
    folder = PredictionFolder(out, threshold, overwrite, tell)
    photos = [(item.file, item.name) for item in files]
    annotated = photos_to_annotate(folder, photos, annotations)
    folder.claim(predictor)
    done = FolderPredictor(predictor, folder, tell).run(files)
    write_annotations(folder, annotated, annotations, tell)
    shares = folder.areas.mean(done.names)
    if shares is not None:
        _tell_labeled(dict(zip(predictor.classes.names, shares, strict=True)), threshold, tell)
    return done


def _listed(files: Sequence[Named], run: Run, only: Path) -> list[Named]:
    """The unlabeled images that a list names, in its order."""
    if not only.is_file():
        raise UserError(
            f"--only={only}: there is no such list. Give a .txt file of names, such as "
            f"{run.paths.rank / LIST}, which fewmask rank writes."
        )
    wanted = match_names(read_lines(only), run.data.unlabeled.names, f"--only={only}")
    return [files[index] for index in wanted]


def _tell_labeled(
    shares: Mapping[str, float], threshold: float, tell: Callable[[str], None]
) -> None:
    """Says how much is labeled with each class, in percent, and what to do if it is too little."""
    labeled = sum(shares.values())
    largest = sorted(shares, key=lambda name: -shares[name])[:MOST_CLASSES]
    listed = ", ".join(f"{name} {shares[name]:.1f} %" for name in largest)
    more = ", ..." if len(shares) > len(largest) else ""
    tell(f"On average, {labeled:.1f} % of a photo is labeled in masks: {listed}{more}")
    if labeled < NEARLY_EMPTY:
        lower = (threshold + 1 / len(shares)) / 2  # below 1 / K, every pixel gets a label
        tell(
            f"Few pixels have a confidence of {threshold:g}. To label more of them, lower the "
            f"threshold: --threshold {lower:.2g} --overwrite"
        )


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
    return [
        Named(file, name) for file, name in zip(images, inside, strict=True) if file is not None
    ]
