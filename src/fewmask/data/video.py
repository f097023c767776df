"""Reads videos frame by frame, and joins pictures to a video."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from fewmask.atomic import obstacle, replacing
from fewmask.data.images import read_image, resize_image
from fewmask.errors import UserError

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")
COMPLETE = 0.95
"""A video that reaches this share of its announced frames, or of its duration, is complete. Some
formats only estimate the first, and sound may last longer than the pictures."""


def is_video(file: Path) -> bool:
    """Whether a file is called like a video."""
    return file.suffix.lower() in VIDEO_SUFFIXES


# Our own message says what FFmpeg would print about a damaged file. It asks only once.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Video:
    """A video file. Only one frame of it is in memory.

    Attributes:
        fps: frames per second.
        count: of frames, as the file announces it: often an estimate, 0 if it says nothing or is
            no video.

    Example:
        for frame in Video(Path("clip.mp4")).frames():
            predictor.predict(frame)
    """

    def __init__(self, file: Path):
        self.file = file
        # Absolute: FFmpeg takes a name such as `a:b.mp4` for a URL. It would wait for a pipe.
        place = "" if obstacle(file) else os.path.abspath(file)
        self._capture = cv2.VideoCapture(place)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps < 1000 else 25.0
        self.count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def frames(
        self, is_wanted: Callable[[int], bool] = lambda number: True
    ) -> Iterator[np.ndarray | None]:
        """All frames in order: RGB, uint8 [H, W, 3]. May be called once.

        Args:
            is_wanted: whether the frame of a number, from 0, is needed. If not, None stands for it.

        Raises:
            UserError: if the file cannot be opened as a video; or where it breaks off.
        """
        if not self._capture.isOpened():
            raise UserError(
                f"Cannot read the video {self.file}: it is missing, damaged, or in a format that "
                "OpenCV does not know here. To convert it: ffmpeg -i VIDEO new.mp4"
            )
        number, seconds = 0, 0.0
        while self._capture.grab():
            seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield self._pixels(number) if is_wanted(number) else None
            number += 1
        announced = COMPLETE * self.count
        if number == 0 or (number < announced and seconds < announced / self.fps):
            raise self._broken(number)

    def _pixels(self, number: int) -> np.ndarray:
        is_read, frame = self._capture.retrieve()
        if not is_read:
            raise self._broken(number)
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)

    def _broken(self, number: int) -> UserError:
        return UserError(
            f"The video {self.file} breaks off after {number} of {self.count} frames. It is "
            "damaged or incomplete; copy or download it again."
        )


def write_video(pictures: Iterable[Path], fps: float, file: Path) -> None:
    """Joins pictures to an .mp4 video, completely or not at all.

    Args:
        pictures: image files, resized to the size of the first one.
        fps: frames per second.
        file: to write.

    Raises:
        UserError: if OpenCV cannot write it.
    """
    frames = (read_image(picture) for picture in pictures)
    first = next(frames)
    size = first.shape[1], first.shape[0]
    with replacing(file) as temporary:
        # The one format that every OpenCV writes.
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        try:
            for frame in itertools.chain([first], frames):
                writer.write(cv2.cvtColor(resize_image(frame, size), cv2.COLOR_RGB2BGR))
        finally:
            writer.release()
        if not temporary.is_file():
            raise UserError(f"Cannot write {file}: OpenCV has no encoder for MPEG-4 here.")
