"""Predicts whole folders: index masks, colour overlays and confidence for images of any size."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fewmask.assembly import open_data
from fewmask.batch import IGNORE
from fewmask.data.files import Files
from fewmask.data.images import IMAGE_SUFFIXES, as_rgb, read_image
from fewmask.data.lists import list_images, unique_names
from fewmask.errors import UserError
from fewmask.evaluation.predictor import Predictor
from fewmask.loading import load
from fewmask.recipe import load_recipe
from fewmask.report.pictures import confidence_picture, mask_picture, save_whole
from fewmask.run_folder import recipe_file

MADE_BY = "made_by.json"
"""Says in an output folder which weights made it."""


class Predicted(NamedTuple):
    """What was written, and what could not be."""

    names: list[str]
    """All images of this share."""
    failures: list[str]
    """One message per image that could not be read."""
    kept: int
    """Images that had been predicted before."""


def predict(
    run: Path | str,
    images: Path | str | Sequence[Path | str],
    out: Path | str,
    weights: str = "best",
    accelerator: str = "auto",
    share: tuple[int, int] = (0, 1),
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
) -> Predicted:
    """Labels images and writes `masks/*.png`, `overlays/*.jpg` and `confidence/*.png` under `out`.

    Masks hold the values of the user's own masks. An image that cannot be read is reported and left
    out; the others are predicted all the same. What is there already is kept, so an interrupted
    call is continued by the same call.

    Args:
        run: a run folder or a `best.pt` file.
        images: a folder, a glob pattern, a .txt list, an image, or several of them.
        out: the folder to write to.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        accelerator: auto, cpu, cuda or mps.
        share: (k, n): only the k-th of n equal parts of the images, counted from 0.
        overwrite: predicts again what is there.
        tell: says how far it is.

    Raises:
        UserError: if there is no such run, or no image at all, or `out` was made by other weights.

    Example:
        fewmask.predict("runs/photos-imas-001", "new_photos/", "predictions/")
    """
    places = [images] if isinstance(images, (str, Path)) else list(images)
    files = [(file, name) for place in places for file, name in find_images(place)]
    names = [name for _, name in files]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(
            f"Two images would be written as '{twice}'. Predict the folders one at a time."
        )
    part, parts = share
    files = files[part::parts]
    predictor = load(run, weights, accelerator)
    _claim(Path(out), predictor, 0.0, overwrite)
    return _predict_all(predictor, files, Path(out), 0.0, overwrite, tell)


def pseudo_labels(
    run: Path | str,
    out: Path | str,
    threshold: float,
    weights: str = "best",
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
) -> Predicted:
    """Exports pseudo-labels of a run's unlabeled images, for review: unsure pixels are 255.

    A mask that was corrected and put into the data's masks folder is a label in the next run.

    Args:
        run: the run folder.
        out: the folder to write to, as `predict` does.
        threshold: pixels below this confidence get no label.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        overwrite: exports again what is there.
        tell: says how far it is.

    Raises:
        UserError: if there is no such run, or its unlabeled images are not files.
    """
    if not 0 <= threshold < 1:
        raise UserError(f"--threshold={threshold}: expected a confidence from 0 to below 1.")
    unlabeled = open_data(load_recipe(recipe_file(Path(run))), tell=False).unlabeled
    if not isinstance(unlabeled, Files):
        raise UserError("The unlabeled images of this run are not files.")
    files = list(zip(unlabeled.images, unlabeled.names, strict=True))
    predictor = load(run, weights)
    if predictor.classes.no_label is None:
        raise UserError(
            "The masks of this data have nothing that means 'no label', so unsure pixels cannot be "
            "written. Add a value to data.ignore (or a colour with 255 to data.palette) and train "
            "again."
        )
    _claim(Path(out), predictor, threshold, overwrite)
    return _predict_all(predictor, files, Path(out), threshold, overwrite, tell)


def _claim(out: Path, predictor: Predictor, threshold: float, overwrite: bool) -> None:
    """Writes into `out` whose work it is; another model's folder is refused."""
    digest = hashlib.sha256()
    for tensor in predictor.network.state_dict().values():
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    mine: dict[str, Any] = {"weights_sha256": digest.hexdigest(), "threshold": threshold}
    file = out / MADE_BY
    if not file.is_file() and (out / "masks").exists():
        raise UserError(f"{out}/masks is there and not of our making. Give another --out.")
    if file.is_file() and not overwrite and json.loads(file.read_text()) != mine:
        raise UserError(
            f"{out} holds the work of other weights or another threshold. Give another --out, or "
            "--overwrite."
        )
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(mine))


def _predict_all(
    predictor: Predictor,
    files: Iterable[tuple[Path, str]],
    out: Path,
    threshold: float,
    overwrite: bool,
    tell: Callable[[str], None],
) -> Predicted:
    names, failures, kept = [], [], 0
    for number, (file, name) in enumerate(files, 1):
        names.append(name)
        if not overwrite and _is_done(out / "masks" / f"{name}.png", file):
            kept += 1
            continue
        try:
            image = read_image(file, predictor.channels)
        except UserError as error:
            failures.append(str(error))
            tell(f"Left out: {error}")
            continue
        _write(predictor, image, file, out, name, threshold)
        if number % 100 == 0:
            tell(f"{number} images")
    return Predicted(names, failures, kept)


def find_images(place: Path | str) -> list[tuple[Path, str]]:
    """Image files at a folder, pattern, .txt list or path, each with a name to write under.

    Raises:
        UserError: if there is none.
    """
    path = Path(place)
    if path.is_dir():
        files = list_images(path)
        return list(zip(files, unique_names(files, path), strict=True))
    if path.suffix == ".txt":
        files = list_images(path)
    elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        files = [path]
    else:
        base = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(base)) if path.is_absolute() else str(path)
        files = sorted(f for f in base.glob(pattern) if f.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise UserError(
            f"'{place}' is no folder, list or image, and as a pattern it matches no image."
        )
    stems = [file.stem for file in files]
    return [(file, file.stem if stems.count(file.stem) == 1 else file.name) for file in files]


def _origin(photo: Path) -> str:
    """What a mask remembers of its photo: where, how large and how new it was."""
    status = photo.stat()
    return f"{photo.resolve()} {status.st_size} {status.st_mtime_ns}"


def _is_done(mask: Path, photo: Path) -> bool:
    """Whether the mask, which is written last, was made from just this photo."""
    if not mask.is_file() or not photo.is_file():
        return False
    with Image.open(mask) as picture:
        return bool(picture.info.get("photo") == _origin(photo))


def _write(
    predictor: Predictor, image: np.ndarray, photo: Path, out: Path, name: str, threshold: float
) -> None:
    prediction = predictor.predict(image)
    labels = np.where(prediction.confidence < threshold, IGNORE, prediction.mask).astype(np.uint8)
    overlay = prediction.overlay(image)
    overlay[labels == IGNORE] = as_rgb(image)[labels == IGNORE]
    confidence = confidence_picture(prediction.confidence)
    try:
        save_whole(Image.fromarray(overlay), out / "overlays" / f"{name}.jpg", quality=90)
        save_whole(confidence, out / "confidence" / f"{name}.png")
        origin = PngInfo()
        origin.add_text("photo", _origin(photo))
        mask = mask_picture(labels, predictor.classes)
        save_whole(mask, out / "masks" / f"{name}.png", pnginfo=origin)
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error}") from None
