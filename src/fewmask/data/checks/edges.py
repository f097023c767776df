"""Findings about masks that do not fit their photo: borders of labels, where no edges are.

A border between two labels nearly always runs along an edge of the photo. So the borders of a mask
lie on stronger edges of its own photo than the borders of other masks would. If they do not, the
mask may be shifted or mirrored, or belong to another photo.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from fewmask.batch import IGNORE
from fewmask.data.checks.finding import Finding, file_of, names_of
from fewmask.data.dataset import Dataset
from fewmask.data.images import as_rgb, size_at

SAMPLED = 32
"""This many labeled images are looked at, spread over all of them."""
FEWEST = 8
"""With fewer masks, chance decides."""
SIDE = 256
"""Pixels of the longer side at which edges are compared."""
SHORTEST = 20
"""Pixels of border that a mask needs to be judged."""
CLOSE = 0.01
"""Fits that differ by less count as equal."""
MANY = 0.4
"""If this share of the masks fits no better than others would, it is no accident."""
LEAST = 0.1
"""A lead below this is none."""
SURELY = 7
"""A mask that fits another photo better by this many times the usual spread belongs there."""
BETTER = 0.2
"""How much better all masks must fit elsewhere, times the square root of their number."""
ON_EDGES = 0.62
"""How well masks fit at least, if they lie on edges and not there by chance."""
SHIFTS = range(-12, 13, 2)
"""Pixels by which masks are moved to see whether they fit better there."""
LOOK = "Look at them: fewmask check DATA --picture labels.png."


def edge_findings(labeled: Dataset) -> Iterator[Finding]:
    """All findings about how masks fit their photos."""
    sampled = _sampled(len(labeled))
    edges = [edge_strength(_small(as_rgb(labeled.image(i)), cv2.INTER_AREA)) for i in sampled]
    masks = [_small(labeled.mask(i), cv2.INTER_NEAREST_EXACT) for i in sampled]
    judged = [k for k, mask in enumerate(masks) if borders(mask).sum() >= SHORTEST]
    if len(judged) < FEWEST:
        return
    edges, masks = [edges[k] for k in judged], [masks[k] for k in judged]
    if moved := _better_elsewhere(edges, masks):
        yield _misplaced(moved)
        return
    yield from _misfits([file_of(labeled, sampled[k]) for k in judged], edges, masks)


def _sampled(count: int) -> list[int]:
    """Positions, two neighbors at a time: a mask of another photo is often that of the next."""
    step = 2 * max(1, -(-count // SAMPLED))
    return [k for first in range(0, count, step) for k in (first, first + 1) if k < count]


def edge_strength(image: np.ndarray) -> np.ndarray:
    """How strong the edge at each pixel is, compared with all others in the image.

    Args:
        image: uint8 [H, W, 3].

    Returns:
        The rank, 0 to 1, float32 [H, W].
    """
    lab = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1)
    slopes = cv2.Sobel(lab, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(lab, cv2.CV_32F, 0, 1) ** 2
    strength = cv2.dilate(slopes.sum(axis=2), np.ones((3, 3)))  # within a pixel
    ranks = np.empty(strength.size, np.float32)
    ranks[strength.ravel().argsort()] = np.linspace(0, 1, strength.size, dtype=np.float32)
    return ranks.reshape(strength.shape)


def borders(mask: np.ndarray) -> np.ndarray:
    """Where the label differs from that of the pixel to the left or above, bool [H, W].

    The end of what was labeled, as around a scribble, is no border of an object.
    """
    found, known = np.zeros(mask.shape, bool), mask != IGNORE
    found[:, 1:] |= (mask[:, 1:] != mask[:, :-1]) & known[:, 1:] & known[:, :-1]
    found[1:] |= (mask[1:] != mask[:-1]) & known[1:] & known[:-1]
    return found


def _small(picture: np.ndarray, how: int) -> np.ndarray:
    if max(picture.shape[:2]) <= SIDE:
        return np.ascontiguousarray(picture)
    return cv2.resize(picture, size_at(picture, SIDE), interpolation=how)


def fit(edges: np.ndarray, mask: np.ndarray) -> float:
    """How strong edges are along the borders of a mask, 0 to 1; 0.5 by chance.

    Args:
        edges: from `edge_strength`, [H, W].
        mask: labels of any size; it is brought to that of the edges.
    """
    if mask.shape != edges.shape:
        mask = cv2.resize(mask, edges.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    found = edges[borders(mask)]
    return float(found.mean()) if len(found) else 0.5


def _misfits(
    files: Sequence[Path], edges: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> Iterator[Finding]:
    """Masks that fit other photos better than their own, or no better than any other mask does."""
    fits = np.array([[fit(photo, mask) for mask in masks] for photo in edges])  # photo x mask
    equal = np.array([[np.array_equal(one, other) for other in masks] for one in masks])
    if (~equal).sum(axis=1).min() < FEWEST // 2:
        return
    own, others = fits.diagonal(), np.where(equal, np.nan, fits)
    # Some photos have strong edges everywhere, and some masks lie on edges in most photos.
    level = np.nanmedian(others, axis=1)
    others = others - level[:, None]
    habit = np.nanmedian(others, axis=0)
    others = others - habit
    # The spread is that of most fits, whatever a few right ones among them are.
    spread = 1.4826 * float(np.nanmedian(abs(others)))
    lead = np.nanmax(others, axis=0) - (own - level - habit)
    is_odd = own - level < -CLOSE
    swapped = (own - level < CLOSE) & (lead > max(SURELY * spread, LEAST))
    if swapped.any():
        what = "another photo better than those of their own. They may belong to other photos."
        yield _misfit(files, swapped, what)
    elif is_odd.mean() >= MANY:
        what = (
            "their photo no better than masks of other photos do. They may be coarse, misplaced, "
            "or belong to other photos."
        )
        yield _misfit(files, is_odd, what)


def _better_elsewhere(edges: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> str:
    """What would make all masks fit much better, in words; nothing if they fit as they are."""

    def mean_fit(moved: Sequence[np.ndarray]) -> float:
        return float(np.mean([fit(e, m) for e, m in zip(edges, moved, strict=True)]))

    as_is = mean_fit(masks)
    ways = {
        "mirrored, left to right": mean_fit([mask[:, ::-1] for mask in masks]),
        "upside down": mean_fit([mask[::-1] for mask in masks]),
        "turned by 180 degrees": mean_fit([mask[::-1, ::-1] for mask in masks]),
    }
    if all(mask.shape[0] == mask.shape[1] for mask in masks):  # else their size tells
        ways["turned by 90 degrees to the left"] = mean_fit([np.rot90(mask) for mask in masks])
        ways["turned by 90 degrees to the right"] = mean_fit([np.rot90(mask, 3) for mask in masks])
        ways["transposed (rows as columns)"] = mean_fit([mask.T for mask in masks])
    side = float(np.median([max(mask.shape) for mask in masks]))
    for x, y in product(SHIFTS, SHIFTS):
        moved = [np.roll(mask, (y, x), (0, 1)) for mask in masks]
        ways[_shift_in_words(x / side, y / side)] = mean_fit(moved)
    best = max(ways, key=lambda way: ways[way])
    is_much_better = ways[best] > as_is + BETTER / len(masks) ** 0.5
    return best if is_much_better and ways[best] > ON_EDGES else ""


def _shift_in_words(x: float, y: float) -> str:
    parts = [(x, "to the right", "to the left"), (y, "down", "up")]
    named = [f"{abs(by):.0%} {more if by > 0 else less}" for by, more, less in parts if by]
    return f"moved by {' and '.join(named)} (of the longer side)"


def _misplaced(better: str) -> Finding:
    return Finding(
        "warning",
        f"The masks fit the edges of their photos better if they are {better}.",
        f"{LOOK} If they are misplaced, export them again.",
    )


def _misfit(files: Sequence[Path], does_misfit: np.ndarray, what: str) -> Finding:
    return Finding(
        "warning",
        f"{does_misfit.sum()} of {len(files)} masks fit the edges of {what}",
        LOOK,
        names_of(file for file, one in zip(files, does_misfit, strict=True) if one),
    )
