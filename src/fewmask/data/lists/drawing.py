"""Draws new lists of labeled images: random, class-balanced or every k-th.

All sizes are prefixes of one order of the images, so each list contains the smaller ones.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from fewmask.batch import IGNORE
from fewmask.data.dataset import Dataset
from fewmask.errors import UserError


def draw(dataset: Dataset, sizes: Sequence[str], how: str, seed: int) -> dict[str, list[str]]:
    """Draws nested lists.

    Args:
        dataset: the images to draw from. `balanced` reads all their masks.
        sizes: numbers of images (`92`) or shares (`1/16`).
        how: `random`; `balanced`, so that rare classes come as often as possible; or `every`, at
            equal distances, for images in the order of a video.
        seed: another seed gives another draw.

    Returns:
        For each size, the names in sorted order.

    Raises:
        UserError: for an unknown `how`, a malformed size, or one larger than the data set.
    """
    if how not in ORDERS:
        raise UserError(f"--how={how}: expected one of {', '.join(ORDERS)}.")
    counts = {size.strip(): _count(size.strip(), len(dataset)) for size in sizes}
    order = ORDERS[how](dataset, sorted(counts.values()), np.random.default_rng(seed))
    return {size: sorted(dataset.names[i] for i in order[:count]) for size, count in counts.items()}


def _count(size: str, total: int) -> int:
    """The number of images of a size. Shares are rounded up, as in the published lists."""
    try:
        share = Fraction(size)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    is_share = "/" in size or share < 1
    count = math.ceil(total * share) if is_share else int(share)
    if share <= 0 or (is_share and share > 1) or (not is_share and share.denominator > 1):
        raise UserError(f"'{size}' is not a size. Give a number of images (92) or a share (1/16).")
    if count > total:
        raise UserError(f"{size} is more than the {total} images with masks.")
    return count


def _random(dataset: Dataset, counts: Sequence[int], rng: np.random.Generator) -> list[int]:
    order: list[int] = rng.permutation(len(dataset)).tolist()
    return order


def _every(dataset: Dataset, counts: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Equal distances: the largest list over all images by name, each smaller one over the next."""
    names = dataset.names  # frames of a video are named in order
    chosen = sorted(range(len(dataset)), key=lambda i: names[i])
    order: list[int] = []
    for count in reversed(counts):
        start = int(rng.integers(max(1, len(chosen) // count)))
        kept = [chosen[start + i * len(chosen) // count] for i in range(count)]
        taken = {*kept}
        order = [i for i in chosen if i not in taken] + order
        chosen = kept
    return chosen + order


def _balanced(dataset: Dataset, counts: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Greedy: the next image has the classes that were drawn least so far, ties are random."""
    shuffled = rng.permutation(len(dataset))  # decides ties
    present = np.stack([_classes_in(dataset, i) for i in shuffled]).astype(float)
    classes = np.maximum(1, present.sum(1))
    drawn = np.zeros(present.shape[1])
    is_free = np.ones(len(shuffled), bool)
    order: list[int] = []
    while len(order) < counts[-1]:
        # Classes that were drawn rarely count most; the mean keeps crowded images from winning.
        gain = np.where(is_free, present @ (1 / (1 + drawn)) / classes, -1)
        best = int(gain.argmax())
        drawn += present[best]
        is_free[best] = False
        order.append(int(shuffled[best]))
    return order


def _classes_in(dataset: Dataset, index: int) -> np.ndarray:
    counts = np.bincount(dataset.mask(index).ravel(), minlength=256)
    counts[IGNORE] = 0
    return counts > 0


ORDERS: dict[str, Callable[[Dataset, Sequence[int], np.random.Generator], list[int]]] = {
    "random": _random,
    "balanced": _balanced,
    "every": _every,
}
