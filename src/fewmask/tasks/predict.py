"""Predicts whole folders: index masks, color overlays and confidence for images of any size."""

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fewmask.batch import IGNORE
from fewmask.data.files import Files
from fewmask.data.images import IMAGE_SUFFIXES, as_rgb, read_image
from fewmask.data.lists.published import read_lines
from fewmask.data.lists.reading import list_images, unique_names, unread_pictures
from fewmask.errors import UserError
from fewmask.evaluation.predictor import Prediction, Predictor
from fewmask.recipes.recipe import load_recipe
from fewmask.report.pictures import confidence_picture, mask_picture, save_whole
from fewmask.runs.building import open_data
from fewmask.runs.files import recipe_file
from fewmask.runs.loading import load

MADE_BY = "made_by.json"
"""Says in an output folder which weights made it."""


AT_ONCE = 8
"""Images of one size that the network may look at together, and that are read ahead."""
THREADS = 2
"""That read, and as many that write."""


class Job(NamedTuple):
    """An image to be labeled."""

    file: Path
    name: str
    image: np.ndarray  # uint8 [H, W, C]


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
    mine = os.path.join(os.path.abspath(out), "")  # what was written before is no photo
    files = [
        (file, name)
        for place in places
        for file, name in find_images(place)
        if not os.path.abspath(file).startswith(mine)
    ]
    for folder in (Path(place) for place in places if Path(place).is_dir()):
        for file in unread_pictures(folder):
            tell(f"Left out: {file} (of a kind that is not read)")
    files = list({os.path.abspath(file): (file, name) for file, name in files}.values())
    first: dict[str, Path] = {}
    for file, name in files:
        if first.setdefault(name, file) is not file:
            raise UserError(
                f"{first[name]} and {file} would both be written as '{name}'. Predict them one "
                "after the other, with an --out for each."
            )
    part, parts = share
    files = files[part::parts]
    predictor = load(run, weights, accelerator)
    _claim(Path(out), predictor, 0.0, overwrite)
    return _Work(predictor, Path(out), 0.0, overwrite, tell).run(files)


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
    unlabeled = open_data(load_recipe(recipe_file(Path(run))), True, tell=False).unlabeled
    if not isinstance(unlabeled, Files):
        raise UserError("The unlabeled images of this run are not files.")
    # A list may name images by paths that lead out of its folder; what is written stays in `out`.
    inside = [os.path.normpath(f"/{name}").lstrip("/") for name in unlabeled.names]
    if len({*inside}) < len(inside):
        raise UserError("Two unlabeled images have one path but for '..'; give data.pool a folder.")
    files = list(zip(unlabeled.images, inside, strict=True))
    predictor = load(run, weights)
    if predictor.classes.no_label is None:
        raise UserError(
            "The masks of this data have nothing that means 'no label', so unsure pixels cannot be "
            "written. Add a value to data.ignore (or a color with 255 to data.palette) and train "
            "again."
        )
    _claim(Path(out), predictor, threshold, overwrite)
    return _Work(predictor, Path(out), threshold, overwrite, tell).run(files)


def _claim(out: Path, predictor: Predictor, threshold: float, overwrite: bool) -> None:
    """Writes into `out` whose work it is; another model's folder is refused."""
    digest = hashlib.sha256()
    for tensor in predictor.network.state_dict().values():
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    mine: dict[str, Any] = {"weights_sha256": digest.hexdigest(), "threshold": threshold}
    file = out / MADE_BY
    if not file.is_file() and (out / "masks").exists():
        raise UserError(f"{out}/masks is there and not of our making. Give another --out.")
    if file.is_file() and not overwrite and _read_claim(file) != mine:
        raise UserError(
            f"{out} holds the work of other weights or another threshold. Give another --out, or "
            "--overwrite."
        )
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(mine))


def _read_claim(file: Path) -> Any:
    """What is written there; None, if it is damaged."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return None


class _Work:
    """Predicts images: reads ahead and writes behind in threads, while the network looks.

    Args:
        predictor: looks at the images.
        out: the folder to write to.
        threshold: pixels below this confidence get no label.
        overwrite: predicts again what is there.
        tell: says how far it is.
    """

    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        threshold: float,
        overwrite: bool,
        tell: Callable[[str], None],
    ):
        self.predictor, self.out, self.threshold = predictor, out, threshold
        self.overwrite, self.tell = overwrite, tell
        self.names: list[str] = []
        self.failures: list[str] = []
        self.kept = 0

    def run(self, files: Iterable[tuple[Path, str]]) -> Predicted:
        """Predicts images, each with the name to write under."""
        writing: deque[Future[None]] = deque()
        with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as writers:
            for jobs in _of_one_size(self._readable(files, readers)):
                predictions = self.predictor.predict_many([job.image for job in jobs])
                for job, prediction in zip(jobs, predictions, strict=True):
                    writing.append(
                        writers.submit(_write, job, prediction, self.out, self.threshold)
                    )
                while len(writing) > 2 * AT_ONCE:
                    writing.popleft().result()
            for future in writing:
                future.result()
        return Predicted(self.names, self.failures, self.kept)

    def _readable(
        self, files: Iterable[tuple[Path, str]], readers: ThreadPoolExecutor
    ) -> Iterator[Job]:
        """The images that are still to do and can be read; keeps a record of all."""
        for (file, name), image in _ahead(self._read, files, readers):
            self.names.append(name)
            if len(self.names) % 100 == 0:
                self.tell(f"{len(self.names)} images")
            if image is None:
                self.kept += 1
            elif isinstance(image, UserError):
                self.failures.append(str(image))
                self.tell(f"Left out: {image}")
            else:
                yield Job(file, name, image)

    def _read(self, item: tuple[Path, str]) -> np.ndarray | UserError | None:
        """The image, or why it cannot be read; None if it is done."""
        file, name = item
        mask = self.out / "masks" / f"{name}.png"
        if not self.overwrite and mask.is_file():
            origin = _origin_of(mask)
            if origin == "":
                self.tell(f"Kept: {mask} was changed by somebody else (--overwrite replaces it).")
            if origin == "" or (file.is_file() and origin == _origin(file)):
                return None
        try:
            return read_image(file, self.predictor.channels)
        except UserError as error:
            return error


def _of_one_size(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Neighbors of the same size, at most `AT_ONCE` together."""
    for _, neighbors in groupby(jobs, key=lambda job: job.image.shape):
        while together := list(islice(neighbors, AT_ONCE)):
            yield together


Item = TypeVar("Item")
Read = TypeVar("Read")


def _ahead(
    read: Callable[[Item], Read], items: Iterable[Item], readers: ThreadPoolExecutor
) -> Iterator[tuple[Item, Read]]:
    """Each item with what was read of it, in order; a few are always being read."""
    started: deque[tuple[Item, Future[Read]]] = deque()
    for item in items:
        started.append((item, readers.submit(read, item)))
        if len(started) > AT_ONCE:
            done, future = started.popleft()
            yield done, future.result()
    for done, future in started:
        yield done, future.result()


def find_images(place: Path | str) -> list[tuple[Path, str]]:
    """Image files at a folder, pattern, .txt list or path, each with a name to write under.

    Raises:
        UserError: if there is none.
    """
    path = Path(place)
    if path.is_dir():
        files = list_images(path)
        return list(zip(files, unique_names(files, path), strict=True))
    if path.suffix.lower() == ".txt":
        files = [path.parent / line for line in read_lines(path)]  # a missing one is left out later
    elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        files = [path]
    else:
        base = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(base)) if path.is_absolute() else str(path)
        try:
            files = sorted(f for f in base.glob(pattern) if f.suffix.lower() in IMAGE_SUFFIXES)
        except ValueError as error:
            raise UserError(f"'{place}': {error}.") from None
    if not files:
        raise UserError(
            f"'{place}' is no folder, list or image, and as a pattern it matches no image. Read "
            f"are {', '.join(IMAGE_SUFFIXES)}."
        )
    stems = Counter(file.stem for file in files)
    if len(stems) == len(files):
        return [(file, file.stem) for file in files]
    base = Path(os.path.commonpath([file.parent for file in files]))
    return list(zip(files, unique_names(files, base), strict=True))


def _origin(photo: Path) -> str:
    """What a mask remembers of its photo: where, how large and how new it was."""
    status = photo.stat()
    return f"{photo.resolve()} {status.st_size} {status.st_mtime_ns}"


def _origin_of(mask: Path) -> str | None:
    """The photo that a mask was made from; "" if it is not of our making, None if damaged."""
    try:
        with Image.open(mask) as picture:
            picture.load()
            return str(picture.info.get("photo", ""))
    except (OSError, SyntaxError, ValueError):
        return None


def _write(job: Job, prediction: Prediction, out: Path, threshold: float) -> None:
    photo, name, image = job
    labels = np.where(prediction.confidence < threshold, IGNORE, prediction.mask).astype(np.uint8)
    overlay = prediction.overlay(image)
    overlay[labels == IGNORE] = as_rgb(image)[labels == IGNORE]
    confidence = confidence_picture(prediction.confidence)
    try:
        save_whole(Image.fromarray(overlay), out / "overlays" / f"{name}.jpg", quality=90)
        save_whole(confidence, out / "confidence" / f"{name}.png")
        origin = PngInfo()
        origin.add_text("photo", _origin(photo))
        mask = mask_picture(labels, prediction.classes)
        save_whole(mask, out / "masks" / f"{name}.png", pnginfo=origin)
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error}") from None
