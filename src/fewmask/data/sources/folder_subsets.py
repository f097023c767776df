"""Which images of a user's own folder are labeled, which are unlabeled, and which are for val."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fewmask.data.dataset import real_files
from fewmask.data.files import Files
from fewmask.data.lists.reading import match_names, read_lines
from fewmask.data.sources.pairing import require_masks
from fewmask.errors import UserError


class Subsets(NamedTuple):
    """The images of a folder, divided."""

    labeled: Files
    unlabeled: Files
    val: Files


class Wish(NamedTuple):
    """How the images are to be divided; see the options of `Folder`."""

    labeled: int | Path | None
    val_fraction: float
    seed: int


def divide(files: Files, val: Files | None, wish: Wish) -> Subsets:
    """Divides images into labeled, unlabeled and val.

    Args:
        files: all images, some with masks.
        val: the images for evaluation; None holds out some of the images with masks.
        wish: how to divide the rest.

    Raises:
        UserError: if there are too few masks, or the list of labeled images does not fit.
    """
    candidates = [i for i, mask in enumerate(files.masks) if mask is not None]
    if val is None:
        held_out = _hold_out(files, candidates, wish)
        val = files.subset(held_out)
        candidates = sorted(set(candidates) - set(held_out))
    free = outside(files, val)
    labeled = _labeled(files, candidates, set(free), wish)
    unlabeled = sorted(set(free) - set(labeled))
    return Subsets(files.subset(labeled), files.subset(unlabeled), val)


def outside(files: Files, val: Files) -> list[int]:
    """The positions of the images that are not in val, under whatever path."""
    in_val = real_files(val)
    return [i for i, file in enumerate(files.images) if os.path.realpath(file) not in in_val]


def by_mask(files: Files, has_mask: bool) -> Files:
    """The images with a mask, or those without."""
    return files.subset([i for i, m in enumerate(files.masks) if (m is not None) == has_mask])


def _hold_out(files: Files, candidates: list[int], wish: Wish) -> list[int]:
    count = max(1, round(len(candidates) * wish.val_fraction))
    if isinstance(wish.labeled, Path):  # what the user listed is for training
        listed = {*match_names(read_lines(wish.labeled), files.names, wish.labeled)}
        candidates = [i for i in candidates if i not in listed]
        if not candidates:
            raise UserError(
                f"data.labeled={wish.labeled} names all images with masks, so that none can be "
                "held out for evaluation. Take some out of the list, or set data.val."
            )
        count = min(count, len(candidates))
    elif count >= len(candidates):
        raise UserError(
            f"There are masks for {len(candidates)} image(s): too few to hold some out for "
            "evaluation. Label at least two, or give data.val."
        )
    return _draw(files, candidates, count, wish.seed)


def _labeled(files: Files, candidates: list[int], free: set[int], wish: Wish) -> list[int]:
    """The images that count as labeled: all candidates outside val, some of them, or a list."""
    if isinstance(wish.labeled, Path):
        # An image of val stays in the list, so that the leak is reported.
        listed = match_names(read_lines(wish.labeled), files.names, wish.labeled)
        require_masks(files.subset(listed), f"data.labeled={wish.labeled}")
        return listed
    candidates = [i for i in candidates if i in free]
    if wish.labeled is None:
        return candidates
    if not 0 < wish.labeled <= len(candidates):
        raise UserError(
            f"data.labeled={wish.labeled}: there are {len(candidates)} images with masks to draw "
            f"from, outside val. Give 1..{len(candidates)}."
        )
    # Another seed than the hold-out's, so that the two draws do not depend on each other.
    return _draw(files, candidates, wish.labeled, wish.seed + 1)


def _draw(files: Files, indices: Sequence[int], count: int, seed: int) -> list[int]:
    """Draws by a hash of the names, so that one image more or less hardly changes the draw."""

    def place(index: int) -> str:
        return hashlib.sha256(f"{seed} {files.names[index]}".encode()).hexdigest()

    return sorted(sorted(indices, key=place)[:count])
