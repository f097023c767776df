"""Finds the images and videos at the places that `predict` is given."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from fewmask.atomic import read_text
from fewmask.data.download import is_url
from fewmask.data.image_files import (
    files_below,
    list_images,
    require_listable,
    unique_names,
    unread_pictures,
    without_predictions,
)
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.data.lists.reading import read_lines
from fewmask.data.remote_image import file_for
from fewmask.data.video import VIDEO_SUFFIXES, is_video
from fewmask.errors import UserError
from fewmask.tasks.rank import RANKING

IMAGES, MASKS = "images", "masks"
"""The folders of a data set."""
DOWNLOADED = "downloaded"
"""The folder in the output folder for images behind URLs."""


class Named(NamedTuple):
    """An image or a video to predict."""

    file: Path
    name: str
    """Of its prediction, without suffix; for a video, of the folder with those of its frames."""
    url: str = ""
    """Where to download the file from, if it is not here."""

    def frame(self, number: int) -> "Named":
        """A frame of a video, counted from 0."""
        return Named(self.file, f"{self.name}/{number:06d}")


def find_all(
    places: Sequence[Path | str], out: Path, tell: Callable[[str], None] = print
) -> list[Named]:
    """All images and videos at some places, each once. Earlier predictions do not count.

    Args:
        places: folders, glob patterns, .txt lists, images, videos, or URLs of images.
        out: the folder that predictions will be written to, and images behind URLs.
        tell: receives what is left out.

    Raises:
        UserError: if there is none, or if the predictions of two would have one name.
    """
    found: dict[str, Named] = {}
    for place in map(str, places):
        if not place:  # as a path, it would mean this folder
            raise UserError("A place to predict is empty. Is a variable of your shell not set?")
        if is_url(place):
            file = file_for(place, out / DOWNLOADED)
            name = file.stem if file.suffix.lower() in IMAGE_SUFFIXES else file.name
            named = [Named(file, name, place)]
        else:
            _tell_left_out(Path(place), tell)
            named = find_images(place)
            photos = {*without_predictions(item.file for item in named)}
            photos -= _masks_of_data(Path(place), photos, tell)
            named = [item for item in named if item.file in photos]
        for item in named:
            # What is named twice is predicted once.
            found.setdefault(os.path.abspath(item.file), item)
    if not found:
        listed = ", ".join(str(place) for place in places)
        raise UserError(
            f"There is no image to predict in {listed}, apart from earlier predictions."
        )
    return _without_clashes([*found.values()])


def _tell_left_out(folder: Path, tell: Callable[[str], None]) -> None:
    """Says which pictures and videos in a folder are not predicted."""
    if not folder.is_dir():
        return
    for file in unread_pictures(folder):
        tell(f"Left out: {file} (fewmask does not read this kind of image)")
    # A folder of photos may also hold hours of film.
    videos = without_predictions(file for file in files_below(folder) if is_video(file))
    if videos:
        tell(
            f"Left out: {len(videos)} video(s) in {folder} (first: {videos[0]}). To predict all "
            "frames of a video, name its file."
        )


def _masks_of_data(
    folder: Path, photos: AbstractSet[Path], tell: Callable[[str], None]
) -> set[Path]:
    """The masks in a folder with images/ and masks/, which are no photos."""
    masks = folder / MASKS
    if not (folder / IMAGES).is_dir():
        return set()
    found = {photo for photo in photos if masks in photo.parents}
    if found:
        tell(f"Left out: {len(found)} file(s) in {masks}, as they are the masks of {folder}.")
    return found


def _without_clashes(items: list[Named]) -> list[Named]:
    """The same items, after making sure that the predictions of each have names of their own."""
    # Predictions of frames lie in a folder that is called like the video.
    videos = {f"{name}/": file for file, name, _ in items if is_video(file)}
    first: dict[str, Path] = {}
    for file, name, _ in items:
        folder = name[: name.rfind("/") + 1]
        other = first.setdefault(f"{name}/" if is_video(file) else name, file)
        if not is_video(file) and name.removeprefix(folder).isdecimal():
            other = videos.get(folder, other)
        if other != file:
            raise UserError(
                f"{other} and {file} would both be written as '{name}'. Predict them "
                "separately, each with its own --out."
            )
    return items


def find_images(place: Path | str) -> list[Named]:
    """The images of a folder, or the images and videos of a pattern, .txt list or path.

    Raises:
        UserError: if there is none.
    """
    path = Path(place)
    if path.is_dir():
        files = list_images(path)
        return _named(files, unique_names(files, path))
    if path.suffix.lower() == ".txt" and path.is_file():
        # A missing file is not an error here: it is reported later, like an unreadable one.
        ranked = _ranked(path.parent)
        files = [ranked.get(line, path.parent / line) for line in read_lines(path)]
    elif _is_read(path) and path.is_file():
        files = [path]
    else:
        files = _matching(path)
    if not files:
        raise UserError(
            f"'{place}' is no folder, list, image or video, and none matches it as a pattern. "
            f"fewmask reads {', '.join((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))}."
        )
    if len({file.stem for file in files}) == len(files):
        return _named(files, [file.stem for file in files])
    # With `..`, a path would lead out of the folder of predictions, perhaps to the photo itself.
    plain = [Path(os.path.abspath(file)) for file in files]
    base = Path(os.path.commonpath([file.parent for file in plain]))
    return _named(files, unique_names(plain, base))


def _ranked(folder: Path) -> dict[str, Path]:
    """The files of images by name, in a folder that `rank` has written."""
    try:
        rows = csv.DictReader(io.StringIO(read_text(folder / RANKING)))
        return {row["image"]: Path(row["file"]) for row in rows if row["file"]}
    except (OSError, ValueError, KeyError, csv.Error):  # no such table, or a foreign one
        return {}


def _named(files: Sequence[Path], names: Sequence[str]) -> list[Named]:
    for file in files:
        require_listable(file, file.parent)
    return [Named(file, name) for file, name in zip(files, names, strict=True)]


def _is_read(file: Path) -> bool:
    return file.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)


def _matching(path: Path) -> list[Path]:
    """The images and videos that match a glob pattern."""
    # Path.glob takes relative patterns only.
    base = Path(path.anchor) if path.is_absolute() else Path()
    pattern = str(path.relative_to(base)) if path.is_absolute() else str(path)
    try:
        found = (file for file in base.glob(pattern) if not file.name.startswith("."))
        return sorted(file for file in found if _is_read(file))
    except ValueError as error:
        raise UserError(f"'{path}': {error}.") from None
