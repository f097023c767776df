"""A folder of predictions: index masks, color overlays and confidence maps, one set per image."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fewmask import atomic
from fewmask.atomic import parse_json, read_text
from fewmask.batch import IGNORE
from fewmask.data import Classes
from fewmask.data.decoding import decoded
from fewmask.data.image_files import MADE_BY, PREDICTIONS
from fewmask.data.images import as_rgb
from fewmask.data.masks import ORIGIN
from fewmask.data.own_files import OwnFiles
from fewmask.data.video import write_video
from fewmask.errors import UserError
from fewmask.evaluation.predictor import Prediction, Predictor
from fewmask.report.areas import Areas
from fewmask.report.output import require_folder
from fewmask.report.pictures import confidence_picture, mask_picture, save_whole

AREAS = "areas.csv"
"""The share of each class in every photo."""


class Job(NamedTuple):
    """An image to predict."""

    file: Path
    name: str  # of the files to write, without suffix
    image: np.ndarray  # uint8 [H, W, C]


class PredictionFolder:
    """Writes predictions, and knows which ones exist already.

    Args:
        folder: to write to. It must be new, empty, or hold predictions of the same weights.
        threshold: pixels below this confidence get no label in `masks`. Above 0, `full` has masks
            with all labels, and `unsure` is white where they are below it.
        overwrite: whether to replace existing predictions. What a person has changed is kept.
        tell: is told what is kept.
    """

    def __init__(
        self,
        folder: Path,
        threshold: float = 0.0,
        overwrite: bool = False,
        tell: Callable[[str], None] = print,
    ):
        self.folder, self.threshold, self.overwrite = folder, threshold, overwrite
        self.own, self.tell = OwnFiles(folder, tell), tell

    def claim(self, predictor: Predictor) -> None:
        """Records in the folder which weights and threshold its predictions come from.

        Raises:
            UserError: if the folder is a file, holds other predictions or masks of another program,
                or a link in it leads elsewhere.
        """
        require_folder(self.folder)
        for name in PREDICTIONS:
            self.own.require_inside(self.folder / name)
        file = self.folder / MADE_BY
        mine = {"weights_sha256": _digest(predictor), "threshold": self.threshold}
        if not file.is_file():
            self._require_no_predictions()
        elif (before := _read_claim(file)) is None:
            self.tell(
                f"{file} is damaged, so it is unknown whether the predictions here come from these "
                "weights. They are made again; what was edited by hand is kept."
            )
            self.overwrite = True
        elif before != mine and not self.overwrite:
            raise UserError(
                f"{self.folder} holds predictions of other weights, or with another threshold. "
                "Give another --out, or replace them with --overwrite."
            )
        if not file.is_file() or before != mine:
            atomic.write_text(file, json.dumps(mine))
        self.classes = predictor.classes
        self.areas = Areas(self.folder / AREAS, predictor.classes)

    def _require_no_predictions(self) -> None:
        """Refuses masks that a person drew, even with --overwrite."""
        for name in (*PREDICTIONS, AREAS):
            if (self.folder / name).exists():
                raise UserError(
                    f"{self.folder / name} exists and was not written by fewmask. Give another "
                    "--out."
                )

    def mask_file(self, name: str) -> Path:
        """The mask file of an image."""
        return self.folder / "masks" / f"{name}.png"

    def full_mask(self, name: str) -> Path:
        """The file of the mask in which every pixel has a label."""
        return self.folder / ("full" if self.threshold > 0 else "masks") / f"{name}.png"

    def status(self, photo: Path, name: str) -> Literal["missing", "current", "edited"]:
        """Whether the mask of a photo is missing, belongs to the photo, or was edited by hand."""
        if not self.mask_file(name).is_file():
            return "missing"
        if not all(map(self._is_ours, self._masks(name))):
            return "edited"
        if self.overwrite:
            return "missing"
        origins = {origin_of(mask) for mask in self._masks(name)}
        return "current" if photo.is_file() and origins == {_origin(photo)} else "missing"

    def edited_mask(self, name: str) -> Path:
        """The mask of an image that was edited by hand."""
        return next(mask for mask in self._masks(name) if not self._is_ours(mask))

    def _is_ours(self, mask: Path) -> bool:
        """Whether a mask is missing, damaged, or as fewmask wrote it, in whatever version."""
        if self.own.is_free(mask):
            return True
        origin = origin_of(mask)
        if origin is None:  # a picture that cannot be read is nobody's work, but damaged
            return self.own.has_noted(mask) and _begins_as_picture(mask)
        return bool(origin) and not self.own.has_noted(mask)

    def _masks(self, name: str) -> list[Path]:
        """The masks of an image, each of which a person may edit."""
        kinds = ("masks", "full") if self.threshold > 0 else ("masks",)
        return [self.folder / kind / f"{name}.png" for kind in kinds]

    def write(self, job: Job, prediction: Prediction) -> None:
        """Writes all pictures and the areas of an image. The folder must be claimed.

        Raises:
            UserError: if the folder cannot be written to.
        """
        unsure = prediction.confidence < self.threshold
        labels = np.where(unsure, IGNORE, prediction.mask).astype(np.uint8)
        overlay = prediction.overlay(job.image)
        overlay[labels == IGNORE] = as_rgb(job.image)[labels == IGNORE]
        confidence = confidence_picture(prediction.confidence)
        try:
            self._save(Image.fromarray(overlay), "overlays", f"{job.name}.jpg", quality=90)
            self._save(confidence, "confidence", f"{job.name}.png")
            self.areas.add(job.name, labels)
            if self.threshold > 0:
                self._write_mask("full", job, prediction.mask, prediction.classes)
                layer = Image.fromarray(unsure.astype(np.uint8) * 255)
                self._save(layer, "unsure", f"{job.name}.png")
            # The mask comes last: after a kill, an image with a mask is complete.
            self._write_mask("masks", job, labels, prediction.classes)
        except OSError as error:
            raise UserError(f"Cannot write to {self.folder}: {error}") from None

    def _write_mask(self, kind: str, job: Job, labels: np.ndarray, classes: Classes) -> None:
        origin = PngInfo()
        origin.add_text(ORIGIN, _origin(job.file))
        self._save(mask_picture(labels, classes), kind, f"{job.name}.png", pnginfo=origin)

    def _save(self, picture: Image.Image, kind: str, name: str, **options: Any) -> None:
        """Saves a picture, unless a person's work is in its place."""
        file = self.folder / kind / name
        if self._is_ours(file) or self.own.may_write(file):
            save_whole(picture, file, self.own, **options)

    def finish(self) -> None:
        """Puts the areas in order, unless a person has changed the table."""
        file = self.areas.file
        if not self.areas.added.is_file():
            return  # nothing was predicted
        is_old = file.is_file() and not self.own.has_noted(file) and self.areas.is_tidy()
        if is_old or self.own.may_write(file):
            self.areas.tidy()

    def join(self, video: str, frames: Sequence[str], fps: float) -> list[Path]:
        """Joins the overlays of a video's frames. The folder must hold their predictions.

        Args:
            video: the name of the video.
            frames: the names of its frames. Those without an overlay are left out.
            fps: frames per second.

        Returns:
            The video that was written; nothing if no frame has an overlay.
        """
        pictures = [self.folder / "overlays" / f"{frame}.jpg" for frame in frames]
        present = [picture for picture in pictures if picture.is_file()]
        file = self.folder / "overlays" / f"{video}.mp4"
        if not present or not self.own.may_write(file):
            return []
        with self.own.replacing(file) as temporary:
            write_video(present, fps, temporary)
        return [file]


def _digest(predictor: Predictor) -> str:
    digest = hashlib.sha256()
    for tensor in predictor.network.state_dict().values():
        # As float32: NumPy has no bfloat16.
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _read_claim(file: Path) -> Any:
    """The recorded weights and threshold; None if the file is damaged."""
    try:
        return parse_json(read_text(file))
    except ValueError:
        return None


def _origin(photo: Path) -> str:
    """Identifies the photo of a mask by path, size and modification time."""
    status = photo.stat()
    return f"{photo.resolve()} {status.st_size} {status.st_mtime_ns}"


def origin_of(mask: Path) -> str | None:
    """The photo that a mask was predicted from.

    Empty if fewmask did not write the mask, as image editors drop the note that it writes into it;
    None if the file is damaged.
    """
    try:
        with decoded(mask) as picture:
            return str(picture.info.get(ORIGIN, ""))
    except (OSError, SyntaxError, ValueError):
        return None


def _begins_as_picture(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(2) in (b"\x89P", b"\xff\xd8")  # PNG, JPEG
