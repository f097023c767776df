"""Predicts masks for folders of images of any size."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from fewmask.data.image_files import (
    PREDICTIONS,
    list_images,
    predictions_below,
    unique_names,
    unread_pictures,
)
from fewmask.data.images import IMAGE_SUFFIXES, read_image
from fewmask.data.lists.reading import read_lines
from fewmask.engine.pace import Pace
from fewmask.engine.screen import Activity, Screen
from fewmask.errors import UserError
from fewmask.evaluation.predictor import Predictor
from fewmask.report.prediction_folder import Job, Named, PredictionFolder

AT_ONCE = 8
"""Images of one size that are predicted together; as many are read ahead."""
THREADS = 2
"""Threads that read images; as many others write predictions."""


class Predicted(NamedTuple):
    """What was predicted, and what could not be."""

    names: list[str]
    """The names of all images of this share."""
    failures: list[str]
    """One message per image that could not be read."""
    kept: int
    """Images that had been predicted before."""


def predict(
    predictor: Predictor,
    places: Sequence[Path | str],
    out: Path,
    share: tuple[int, int] = (0, 1),
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
    annotations: Sequence[str] = (),
) -> Predicted:
    """Predicts images and writes `masks/*.png`, `overlays/*.jpg` and `confidence/*.png` to `out`.

    `areas.csv` has the share of each class in every photo, in percent.

    Masks hold the label values of the user's own masks. An image that cannot be read is reported
    and left out. Finished predictions are kept: after a stop, make the same call again.

    Args:
        predictor: a trained network.
        places: folders, glob patterns, .txt lists or images.
        out: the folder to write to.
        share: (k, n) predicts only the k-th of n equal shares of the images, counted from 0.
        overwrite: whether to predict finished images again.
        tell: receives messages on progress, and on images that were left out.
        annotations: formats of labeling tools: coco, cvat, labelme, labelstudio.

    Raises:
        UserError: if there is no image or no such share, or if `out` holds other predictions.
    """
    index, shares = share
    if not 0 <= index < shares:
        raise UserError(f"share={share}: expected (k, n) with 0 <= k < n, such as (0, 4).")
    # Every n-th image, not a block: neighbors in a folder are often alike in size and content.
    files = _without_clashes(_find_all(places, out, tell))[index::shares]
    folder = PredictionFolder(out, 0.0, overwrite, annotations, share)
    folder.claim(predictor)
    return FolderPredictor(predictor, folder, tell).run(files)


def _find_all(places: Sequence[Path | str], out: Path, tell: Callable[[str], None]) -> list[Named]:
    """All images, each once. Earlier predictions in `out` do not count as images."""
    own = {out / name for name in PREDICTIONS}
    for folder in (Path(place) for place in places if Path(place).is_dir()):
        own |= predictions_below(folder)
    inside = tuple(os.path.join(os.path.abspath(folder), "") for folder in own)
    found: dict[str, Named] = {}
    for place in places:
        for file, name in find_images(place):
            path = os.path.abspath(file)
            if not path.startswith(inside):
                # An image that is named twice is predicted once.
                found.setdefault(path, (file, name))
    for folder in (Path(place) for place in places if Path(place).is_dir()):
        for file in unread_pictures(folder):
            tell(f"Left out: {file} (fewmask does not read this kind of image)")
    if not found:
        listed = ", ".join(str(place) for place in places)
        raise UserError(
            f"There is no image to predict in {listed}, apart from earlier predictions."
        )
    return list(found.values())


def _without_clashes(files: list[Named]) -> list[Named]:
    """The same files, after making sure that each has a name of its own."""
    first: dict[str, Path] = {}
    for file, name in files:
        if first.setdefault(name, file) is not file:
            raise UserError(
                f"{first[name]} and {file} would both be written as '{name}'. Predict them "
                "separately, each with its own --out."
            )
    return files


class FolderPredictor:
    """Predicts many images, while threads read the next ones and write the finished ones.

    Args:
        predictor: a trained network.
        folder: to write to. It must be claimed for the predictor.
        tell: receives messages on progress, and on images that were left out.
    """

    def __init__(self, predictor: Predictor, folder: PredictionFolder, tell: Callable[[str], None]):
        self.predictor, self.folder, self.tell = predictor, folder, tell
        self.screen = Screen(tell)
        self.names: list[str] = []
        self.failures: list[str] = []
        self.kept = 0

    def run(self, files: Sequence[Named]) -> Predicted:
        """Predicts images, each with the name of its prediction."""
        masked = self.folder.masked(files)
        writing: deque[Future[None]] = deque()
        # A CPU is not faster with more, but would say nothing until all of them are done.
        together = 1 if self.predictor.device == "cpu" else AT_ONCE
        threads = ThreadPoolExecutor(THREADS), ThreadPoolExecutor(THREADS)
        with self.screen, threads[0] as readers, threads[1] as writers:
            for jobs in _of_one_size(self._readable(files, readers), together):
                predictions = self.predictor.predict_many([job.image for job in jobs])
                for job, prediction in zip(jobs, predictions, strict=True):
                    writing.append(writers.submit(self.folder.write, job, prediction))
                # A slow disk must not fill the memory with predictions that wait to be written.
                while len(writing) > 2 * AT_ONCE:
                    writing.popleft().result()
            for future in writing:
                future.result()
        self.folder.finish(masked, self.tell)
        return Predicted(self.names, self.failures, self.kept)

    def _readable(self, files: Sequence[Named], readers: ThreadPoolExecutor) -> Iterator[Job]:
        """The images to predict. Records those that were predicted before or cannot be read."""
        shown = Activity(self.screen, "predicting image", Pace(len(files)))
        for (file, name), image in _ahead(self._read, files, readers):
            shown.reach(len(self.names))
            self.names.append(name)
            if image is None:
                self.kept += 1
            elif isinstance(image, UserError):
                self.failures.append(str(image))
                self.tell(f"Left out: {image}")
            else:
                yield Job(file, name, image)

    def _read(self, item: Named) -> np.ndarray | UserError | None:
        """The image, or why it cannot be read; None if it has been predicted."""
        file, name = item
        status = self.folder.status(file, name)
        if status == "edited":
            mask = self.folder.mask_file(name)
            self.tell(f"Kept: {mask} was edited by hand (--overwrite replaces it).")
        if status != "missing":
            return None
        try:
            predictor = self.predictor
            return read_image(file, predictor.channels, value_range=predictor.value_range)
        except UserError as error:
            return error


def _of_one_size(jobs: Iterable[Job], most: int) -> Iterator[list[Job]]:
    """Groups consecutive jobs of the same size, at most `most` together."""
    for _, neighbors in groupby(jobs, key=lambda job: job.image.shape):
        while together := list(islice(neighbors, most)):
            yield together


Item = TypeVar("Item")
Read = TypeVar("Read")


def _ahead(
    read: Callable[[Item], Read], items: Iterable[Item], readers: ThreadPoolExecutor
) -> Iterator[tuple[Item, Read]]:
    """Yields each item with what was read of it, in order, while threads read the next items."""
    started: deque[tuple[Item, Future[Read]]] = deque()
    for item in items:
        started.append((item, readers.submit(read, item)))
        if len(started) > AT_ONCE:
            done, future = started.popleft()
            yield done, future.result()
    for done, future in started:
        yield done, future.result()


def find_images(place: Path | str) -> list[Named]:
    """The image files of a folder, pattern, .txt list or path, each with a name for its prediction.

    Raises:
        UserError: if there is no image.
    """
    path = Path(place)
    if path.is_dir():
        files = list_images(path)
        return list(zip(files, unique_names(files, path), strict=True))
    if path.suffix.lower() == ".txt":
        # A missing file is not an error here: it is reported later, like an unreadable one.
        files = [path.parent / line for line in read_lines(path)]
    elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        files = [path]
    else:
        files = _matching(path)
    if not files:
        raise UserError(
            f"'{place}' is no folder, list or image, and no image matches it as a pattern. "
            f"fewmask reads {', '.join(IMAGE_SUFFIXES)}."
        )
    stems = Counter(file.stem for file in files)
    if len(stems) == len(files):
        return [(file, file.stem) for file in files]
    base = Path(os.path.commonpath([file.parent for file in files]))
    return list(zip(files, unique_names(files, base), strict=True))


def _matching(path: Path) -> list[Path]:
    """The images that match a glob pattern."""
    # Path.glob takes relative patterns only.
    base = Path(path.anchor) if path.is_absolute() else Path()
    pattern = str(path.relative_to(base)) if path.is_absolute() else str(path)
    try:
        return sorted(f for f in base.glob(pattern) if f.suffix.lower() in IMAGE_SUFFIXES)
    except ValueError as error:
        raise UserError(f"'{path}': {error}.") from None
