"""A folder of predictions: index masks, color overlays and confidence maps, one set per image."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fewmask import atomic
from fewmask.batch import IGNORE
from fewmask.data.annotations.annotation import is_background
from fewmask.data.annotations.exporting import (
    Masked,
    export_annotations,
    require_distinct,
    require_formats,
    way_back,
)
from fewmask.data.image_files import MADE_BY
from fewmask.data.images import as_rgb
from fewmask.data.masks import ORIGIN
from fewmask.errors import UserError
from fewmask.evaluation.predictor import Prediction, Predictor
from fewmask.report.areas import Areas
from fewmask.report.pictures import confidence_picture, mask_picture, save_whole

AREAS = "areas.csv"
"""The share of each class in every photo."""
ANNOTATIONS = "annotations"
"""The folder for the formats of labeling tools."""

Named = tuple[Path, str]
"""An image file, and the name of its prediction, without suffix."""


class Job(NamedTuple):
    """An image to predict."""

    file: Path
    name: str  # of the files to write, without suffix
    image: np.ndarray  # uint8 [H, W, C]


class PredictionFolder:
    """Writes predictions, and knows which ones exist already.

    Args:
        folder: to write to. It must be new, empty, or hold predictions of the same weights.
        threshold: pixels below this confidence get no label.
        overwrite: whether to replace existing predictions.
        formats: of labeling tools, which `finish` writes.
        share: (k, n) if this is the k-th of n processes that write to the folder, counted from 0.

    Raises:
        UserError: for an unknown format.
    """

    def __init__(
        self,
        folder: Path,
        threshold: float = 0.0,
        overwrite: bool = False,
        formats: Sequence[str] = (),
        share: tuple[int, int] = (0, 1),
    ):
        self.folder, self.threshold, self.overwrite = folder, threshold, overwrite
        require_formats(formats)
        self.formats, self.share = formats, share

    def claim(self, predictor: Predictor) -> None:
        """Records in the folder which weights and threshold its predictions come from.

        Raises:
            UserError: if the folder holds other predictions, or masks of another program.
        """
        file = self.folder / MADE_BY
        mine = {"weights_sha256": _digest(predictor), "threshold": self.threshold}
        # Never overwrite masks that a person drew, not even with --overwrite.
        if not file.is_file() and (self.folder / "masks").exists():
            raise UserError(
                f"{self.folder}/masks exists and was not written by fewmask. Give another --out."
            )
        if file.is_file() and not self.overwrite and _read_claim(file) != mine:
            raise UserError(
                f"{self.folder} holds predictions of other weights, or with another threshold. "
                "Give another --out, or replace them with --overwrite."
            )
        atomic.write_text(file, json.dumps(mine))
        self.classes = predictor.classes
        self.areas = Areas(self.folder / AREAS, predictor.classes)

    def mask_file(self, name: str) -> Path:
        """The mask file of an image."""
        return self.folder / "masks" / f"{name}.png"

    def status(self, photo: Path, name: str) -> Literal["missing", "current", "edited"]:
        """Whether the mask of a photo is missing, belongs to the photo, or was edited by hand."""
        mask = self.mask_file(name)
        if self.overwrite or not mask.is_file():
            return "missing"
        origin = origin_of(mask)
        if origin == "":  # image editors drop the note that fewmask writes into a mask
            return "edited"
        return "current" if photo.is_file() and origin == _origin(photo) else "missing"

    def write(self, job: Job, prediction: Prediction) -> None:
        """Writes mask, overlay, confidence and areas of an image. The folder must be claimed.

        Raises:
            UserError: if the folder cannot be written to.
        """
        unsure = prediction.confidence < self.threshold
        labels = np.where(unsure, IGNORE, prediction.mask).astype(np.uint8)
        overlay = prediction.overlay(job.image)
        overlay[labels == IGNORE] = as_rgb(job.image)[labels == IGNORE]
        confidence = confidence_picture(prediction.confidence)
        origin = PngInfo()
        origin.add_text(ORIGIN, _origin(job.file))
        mask = mask_picture(labels, prediction.classes)
        try:
            picture = Image.fromarray(overlay)
            save_whole(picture, self.folder / "overlays" / f"{job.name}.jpg", quality=90)
            save_whole(confidence, self.folder / "confidence" / f"{job.name}.png")
            self.areas.add(job.name, labels)
            # The mask comes last: after a kill, an image with a mask is complete.
            save_whole(mask, self.mask_file(job.name), pnginfo=origin)
        except OSError as error:
            raise UserError(f"Cannot write to {self.folder}: {error}") from None

    def masked(self, files: Sequence[Named]) -> list[Masked]:
        """The images of which `finish` writes annotations, as labeling tools shall know them.

        Raises:
            UserError: if the formats cannot tell two of them apart.
        """
        found = [
            # A tool looks for the file itself, whose name is longer than that of its mask.
            Masked(file, self.mask_file(name), str(PurePosixPath(name).with_name(file.name)))
            for file, name in (files if self.formats else ())
        ]
        require_distinct(found)
        return found

    def finish(self, masked: Sequence[Masked], tell: Callable[[str], None]) -> None:
        """Sorts the table of areas, and writes the annotations of images anew from their masks.

        So they are complete, whichever masks an interrupted call had written before, and hold what
        was edited by hand.
        """
        self.areas.tidy()
        index, shares = self.share
        part = "" if shares == 1 else f"-{index + 1}-of-{shares}"
        place = self.folder / ANNOTATIONS
        for file in export_annotations(masked, self.classes, place, self.formats, part):
            tell(f"Annotations for a labeling tool: {file}")
        if self.formats and self.threshold and any(map(is_background, self.classes.names)):
            tell(
                "Pixels below the threshold are in no object, so they will come back as "
                "background. --threshold 0 gives them their most likely class."
            )
        if self.formats:
            tell(f"When they are corrected and exported there: {way_back(self.classes)}")


def _digest(predictor: Predictor) -> str:
    digest = hashlib.sha256()
    for tensor in predictor.network.state_dict().values():
        # As float32: NumPy has no bfloat16.
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _read_claim(file: Path) -> Any:
    """The recorded weights and threshold; None if the file is damaged."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return None


def _origin(photo: Path) -> str:
    """Identifies the photo of a mask by path, size and modification time."""
    status = photo.stat()
    return f"{photo.resolve()} {status.st_size} {status.st_mtime_ns}"


def origin_of(mask: Path) -> str | None:
    """The photo that a mask was predicted from.

    Empty if fewmask did not write the mask, None if the file is damaged.
    """
    try:
        with Image.open(mask) as picture:
            picture.load()
            return str(picture.info.get(ORIGIN, ""))
    except (OSError, SyntaxError, ValueError):
        return None
