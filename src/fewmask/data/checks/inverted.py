"""Findings about masks of two classes, some of which are inverted: object and ground exchanged.

What an object looks like beside its ground, brighter or redder, is much the same in most photos. If
it is the other way round exactly where class 1 takes most of the photo, these masks are inverted.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.images import as_rgb

FEWEST = 4
"""This many masks of the usual kind are needed to know how objects look."""
CLEAR = 2.0
"""How much of its spread the usual difference must be, at least."""


def inverted_findings(
    labeled: Iterable[tuple[Path, np.ndarray, np.ndarray]],
) -> Iterator[Finding]:
    """A warning for masks of 0 and 1 that seem to be inverted.

    Args:
        labeled: the name of each image, the image uint8 [H, W, C] and its labels [H, W], of any
            size; they are brought to that of the image. One at a time is in memory.
    """
    looks = [(file, (mask == 1).mean() > 0.5, _difference(i, mask)) for file, i, mask in labeled]
    known = [look for look in looks if look[2] is not None]
    is_large = np.array([large for _, large, _ in known], bool)
    if not 0 < is_large.sum() < len(known):
        return
    seen = np.array([difference for _, _, difference in known])  # [N, 3]
    usual = is_large if is_large.sum() > len(known) / 2 else ~is_large
    if usual.sum() < FEWEST:
        return
    mean = seen[usual].mean(axis=0)
    along = seen @ mean / np.linalg.norm(mean)  # how much each looks like the usual
    level, spread = along[usual].mean(), along[usual].std()
    odd = ~usual & (along < -level / 2)
    if level > CLEAR * spread and odd.sum() > (~usual).sum() / 2:
        yield Finding(
            "warning",
            f"{odd.sum()} of {len(known)} masks seem to be inverted: what is class 1 there looks "
            "like class 0 in the others.",
            "Look at them: fewmask check DATA --picture labels.png. If they are, invert them.",
            names_of(file for (file, *_), one in zip(known, odd, strict=True) if one),
        )


def _difference(image: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """The color of class 1 minus that of class 0 in Lab space; None without both of them."""
    mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    if not np.isin((0, 1), mask).all():
        return None
    lab = cv2.cvtColor(as_rgb(image), cv2.COLOR_RGB2LAB).astype(np.float32)
    found: np.ndarray = lab[mask == 1].mean(axis=0) - lab[mask == 0].mean(axis=0)
    return found
