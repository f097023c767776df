"""Predicts masks for images of any size, and for the frames of videos."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from fewmask.data.images import read_image
from fewmask.data.remote_image import fetch_image
from fewmask.data.video import Video, is_video
from fewmask.engine.pace import Pace
from fewmask.engine.screen import Activity, Screen
from fewmask.errors import UserError
from fewmask.evaluation.predictor import Predictor
from fewmask.report.annotating import photos_to_annotate, write_annotations
from fewmask.report.prediction_folder import Job, PredictionFolder
from fewmask.tasks.places import Named, find_all
from fewmask.tasks.telling import FirstFew

AT_ONCE = 8
"""Images of one size that are predicted together; as many are read ahead."""
THREADS = 2
"""Threads that read images; as many others write predictions."""

Image = np.ndarray | UserError | None
"""An image, or why it cannot be read; None if it has been predicted."""


class Predicted(NamedTuple):
    """What was predicted, and what could not be."""

    names: list[str]
    """The names of all images of this share, frames of videos among them."""
    failures: list[str]
    """One message per image that could not be read, or video from its first such frame on."""
    kept: int
    """Images that had been predicted before."""
    videos: tuple[Path, ...] = ()
    """Overlay videos that were written."""


def predict(
    predictor: Predictor,
    places: Sequence[Path | str],
    out: Path,
    share: tuple[int, int] = (0, 1),
    overwrite: bool = False,
    tell: Callable[[str], None] = print,
    annotations: Sequence[str] = (),
    overlay_video: bool = False,
) -> Predicted:
    """Predicts images and writes `masks/*.png`, `overlays/*.jpg` and `confidence/*.png` to `out`.

    `areas.csv` has the share of each class in every photo, in percent. The frames of a video
    are images too: `masks/VIDEO/000000.png` and so on.

    Masks hold the label values of the user's own masks. An image that cannot be read is reported
    and left out. Finished predictions are kept: after a stop, make the same call again.

    Args:
        predictor: a trained network.
        places: folders, glob patterns, .txt lists, images, videos, or URLs of images.
        out: the folder to write to.
        share: (k, n) predicts only the k-th of n equal shares of the images, counted from 0. A
            video belongs to one share as a whole.
        overwrite: whether to predict finished images again.
        tell: receives messages on progress, and on images that were left out.
        annotations: formats of labeling tools: coco, cvat, labelme, labelstudio.
        overlay_video: whether to join the overlays of each video to `overlays/VIDEO.mp4`.

    Raises:
        UserError: if there is no image or no such share, or if `out` holds other predictions.
    """
    index, shares = share
    if not 0 <= index < shares:
        raise UserError(f"share={share}: expected (k, n) with 0 <= k < n, such as (0, 4).")
    found = find_all(places, out, tell)
    if overlay_video and not any(is_video(item.file) for item in found):
        raise UserError("--overlay-video: there is no video among the images to predict.")
    # Every n-th image, not a block: neighbors in a folder are often alike in size and content.
    items = found[index::shares]
    folder = PredictionFolder(out, overwrite=overwrite, tell=tell)
    photos = [(item.file, item.name) for item in items if not is_video(item.file)]
    annotated = photos_to_annotate(folder, photos, annotations)
    folder.claim(predictor)
    done = FolderPredictor(predictor, folder, tell, overlay_video).run(items)
    write_annotations(folder, annotated, annotations, tell, share)
    return done


class FolderPredictor:
    """Predicts many images, while threads read the next ones and write the finished ones.

    Args:
        predictor: a trained network.
        folder: to write to. It must be claimed for the predictor.
        tell: receives messages on progress, and on images that were left out.
        overlay_video: whether to join the overlays of each video.
    """

    def __init__(
        self,
        predictor: Predictor,
        folder: PredictionFolder,
        tell: Callable[[str], None],
        overlay_video: bool = False,
    ):
        self.predictor, self.folder, self.tell = predictor, folder, tell
        self.overlay_video, self.screen = overlay_video, Screen(tell)
        self.few = FirstFew(tell)
        self.names: list[str] = []
        self.failures: list[str] = []
        self.kept = 0

    def run(self, items: Sequence[Named]) -> Predicted:
        """Predicts images and videos, each with the name of its prediction."""
        photos = [item for item in items if not is_video(item.file)]
        overlays: list[Path] = []
        with self.screen, ThreadPoolExecutor(THREADS) as readers:
            read = _ahead(self._read, photos, readers)
            self._predict(self._missing(read, "predicting image", len(photos)))
            for film in (item for item in items if is_video(item.file)):
                video, first = Video(film.file), len(self.names)
                what = f"{film.file.name}: predicting frame"
                self._predict(self._missing(self._frames(film, video), what, video.count))
                if self.overlay_video:
                    overlays += self.folder.join(film.name, self.names[first:], video.fps)
        self.few.end()
        self.folder.finish()
        return Predicted(self.names, self.failures, self.kept, tuple(overlays))

    def _predict(self, jobs: Iterable[Job]) -> None:
        """Predicts images, while threads write what is predicted."""
        writing: deque[Future[None]] = deque()
        # A CPU is not faster with more, but would say nothing until all of them are done.
        together = 1 if self.predictor.device == "cpu" else AT_ONCE
        with ThreadPoolExecutor(THREADS) as writers:
            for group in _of_one_size(jobs, together):
                predictions = self.predictor.predict_many([job.image for job in group])
                for job, prediction in zip(group, predictions, strict=True):
                    writing.append(writers.submit(self.folder.write, job, prediction))
                # A slow disk must not fill the memory with predictions that wait to be written.
                while len(writing) > 2 * AT_ONCE:
                    writing.popleft().result()
            for future in writing:
                future.result()

    def _missing(self, read: Iterable[tuple[Named, Image]], what: str, total: int) -> Iterator[Job]:
        """The images to predict. Records those that were predicted before or cannot be read."""
        total = max(1, total)  # a video may announce no number of frames, or too low a one
        shown = Activity(self.screen, what, Pace(total))
        for done, (item, image) in enumerate(read):
            shown.reach(min(done, total))
            self.names.append(item.name)
            if image is None:
                self.kept += 1
            elif isinstance(image, UserError):
                self.failures.append(str(image))
                self.few.tell("Left out", str(image))
            else:
                yield Job(item.file, item.name, image)
        shown.end()

    def _read(self, item: Named) -> Image:
        predictor = self.predictor
        try:
            if item.url:
                self._fetch(item)
            if self._is_done(item):
                return None
            return read_image(item.file, predictor.channels, value_range=predictor.value_range)
        except UserError as error:
            return error

    def _fetch(self, item: Named) -> None:
        """Downloads an image, again if asked, unless a person has changed it."""
        own = self.folder.own
        own.require_inside(item.file.parent)
        if self.folder.overwrite and own.may_write(item.file):
            item.file.unlink(missing_ok=True)
        is_new = not item.file.is_file()
        fetch_image(item.url, item.file, self.predictor.channels)
        if is_new:
            own.note(item.file)

    def _frames(self, film: Named, video: Video) -> Iterator[tuple[Named, Image]]:
        """The frames of a video, up to the one that cannot be read."""
        count = 0
        try:
            for image in video.frames(lambda number: not self._is_done(film.frame(number))):
                yield film.frame(count), image
                count += 1
        except UserError as error:
            yield film.frame(count), error

    def _is_done(self, item: Named) -> bool:
        """Whether an image has been predicted. Tells if a person has edited its mask."""
        status = self.folder.status(item.file, item.name)
        if status == "edited":
            mask = self.folder.edited_mask(item.name)
            self.few.tell("Kept", f"{mask} was edited by hand. To predict it again, move it away.")
        return status != "missing"


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
