"""How each validation image was scored last, so that a comparison need not predict it again."""

from contextlib import suppress
from io import BytesIO

import numpy as np

from fewmask import atomic
from fewmask.run_folder.paths import RunPaths


def write_val_images(paths: RunPaths, step: int, network: str, counts: np.ndarray) -> None:
    """Notes the pixels that the scores of a network were computed from.

    Args:
        paths: of the run.
        step: steps taken.
        network: `student`, `teacher` ...
        counts: intersection, union and truth of each image and class, int64 [3, N, K].
    """
    content = BytesIO()
    np.savez_compressed(content, step=step, network=network, counts=counts)
    with suppress(OSError):  # without it, a comparison predicts the images again
        atomic.write_bytes(paths.val_images, content.getvalue())


def read_val_images(paths: RunPaths, step: int, network: str) -> np.ndarray | None:
    """The counts [3, N, K] of a network after so many steps; None if they were not noted."""
    try:
        with np.load(paths.val_images, allow_pickle=False) as noted:
            is_wanted = int(noted["step"]) == step and str(noted["network"]) == network
            counts: np.ndarray = noted["counts"]
    except Exception:  # NumPy, zipfile and zlib raise a dozen kinds for a damaged file
        return None
    return counts if is_wanted and counts.ndim == 3 else None
