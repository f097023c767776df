"""Small videos."""

from pathlib import Path

import cv2
import numpy as np


def write_clip(file: Path, frames: int, size: tuple[int, int] = (48, 32)) -> Path:
    """A video of so many frames: red, green, blue, red, and so on, under a little noise.

    Args:
        file: .avi.
        frames: how many.
        size: (width, height).
    """
    rng = np.random.default_rng(0)
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    for number in range(frames):
        frame = rng.integers(0, 40, (size[1], size[0], 3))
        frame[:, :, 2 - number % 3] += 200  # OpenCV has blue first
        writer.write(frame.astype(np.uint8))
    writer.release()
    return file


def cut(file: Path, share: float) -> Path:
    """Keeps the first part of a file, as a copy that was broken off."""
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    return file
