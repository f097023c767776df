"""How each validation image was scored last, so that a comparison need not predict it again."""

from contextlib import suppress
from io import BytesIO

import numpy as np

from fewmask import atomic
from fewmask.data.mask_arrays import read_content
from fewmask.errors import UserError
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
        noted = read_content(paths.val_images, "scores of images")  # within the limit on arrays
        is_wanted = int(noted["step"]) == step and str(noted["network"]) == network
        counts: np.ndarray = noted["counts"]
    except (UserError, ValueError, LookupError, TypeError):  # none were noted, or it is damaged
        return None
    are_counts = counts.dtype.kind == "i" and counts.ndim == 3 and counts.min(initial=0) >= 0
    return counts if is_wanted and are_counts else None
