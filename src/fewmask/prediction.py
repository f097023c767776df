"""Predicts whole folders: index masks, colour overlays and confidence for images of any size."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from fewmask.api import load
from fewmask.data.dataset import IMAGE_SUFFIXES, read_image
from fewmask.data.lists import list_images, unique_names
from fewmask.errors import UserError
from fewmask.evaluation.predictor import Predictor
from fewmask.report.pictures import save_confidence, save_mask


class Predicted(NamedTuple):
    """What was written, and what could not be."""

    names: list[str]
    failures: list[str]  # one message per image that could not be read


def predict(
    run: Path | str,
    images: Path | str | Sequence[Path | str],
    out: Path | str,
    weights: str = "best",
    accelerator: str = "auto",
    tell: Callable[[str], None] = print,
) -> Predicted:
    """Labels images and writes `masks/*.png`, `overlays/*.jpg` and `confidence/*.png` under `out`.

    An image that cannot be read is reported and left out; the others are predicted all the same.

    Args:
        run: a run folder or a `best.pt` file.
        images: a folder, a glob pattern, a .txt list, an image, or several of them.
        out: the folder to write to.
        weights: `best`, or a network of the last checkpoint: `student`, `teacher` ...
        accelerator: auto, cpu, cuda or mps.
        tell: says how far it is.

    Raises:
        UserError: if there is no such run, or no image at all.

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
    predictor = load(run, weights, accelerator)
    failures = []
    for number, (file, name) in enumerate(files, 1):
        try:
            image = read_image(file)
        except UserError as error:
            failures.append(str(error))
            tell(f"Left out: {error}")
            continue
        _write(predictor, image, Path(out), name)
        if number % 100 == 0:
            tell(f"{number} of {len(files)} images")
    return Predicted(names, failures)


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


def _write(predictor: Predictor, image: np.ndarray, out: Path, name: str) -> None:
    prediction = predictor.predict(image)
    targets = {
        kind: out / kind / f"{name}{suffix}"
        for kind, suffix in (("masks", ".png"), ("overlays", ".jpg"), ("confidence", ".png"))
    }
    try:
        for target in targets.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        save_mask(prediction.mask, predictor.classes.colours, targets["masks"])
        Image.fromarray(prediction.overlay(image)).save(targets["overlays"], quality=90)
        save_confidence(prediction.confidence, targets["confidence"])
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error}") from None
