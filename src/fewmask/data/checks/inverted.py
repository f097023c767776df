"""Findings about masks of two classes, some of which are inverted: object and ground exchanged.

What an object looks like beside its ground, brighter or redder, is much the same in most photos. If
it is the other way round exactly where class 1 takes most of the photo, these masks are inverted.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.images import as_rgb

FEWEST = 4
"""As many masks of the usual kind are needed to know how objects look."""
CLEAR = 2.0
"""How much of its spread the usual difference must be, at least."""


def inverted_findings(
    files: Sequence[Path], images: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> Iterator[Finding]:
    """A warning for masks of 0 and 1 that seem to be inverted.

    Args:
        files: names of the images.
        images: uint8 [H, W, C].
        masks: labels [H, W] of any size; they are brought to that of their image.
    """
    looks = [_difference(image, mask) for image, mask in zip(images, masks, strict=True)]
    known = [k for k, look in enumerate(looks) if look is not None]
    is_large = np.array([(masks[k] == 1).mean() > 0.5 for k in known], bool)
    if not 0 < is_large.sum() < len(known):
        return
    seen = np.array([looks[k] for k in known])  # [N, 3]
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
            names_of(files[k] for k, one in zip(known, odd, strict=True) if one),
        )


def _difference(image: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """The color of class 1 minus that of class 0 in Lab space; None without both of them."""
    mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    if not np.isin((0, 1), mask).all():
        return None
    lab = cv2.cvtColor(as_rgb(image), cv2.COLOR_RGB2LAB).astype(np.float32)
    found: np.ndarray = lab[mask == 1].mean(axis=0) - lab[mask == 0].mean(axis=0)
    return found
